"""What the controller and the gate do when something fails, measured from outside."""
