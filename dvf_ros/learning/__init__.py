"""The Diffused Value Function in torch, from a dataset to an agent that decides. No ROS, no simulator."""
