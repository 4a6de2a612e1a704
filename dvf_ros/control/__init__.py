"""What the robot does with an agent's decisions: the brain and the safety filter. No ROS, no torch."""
