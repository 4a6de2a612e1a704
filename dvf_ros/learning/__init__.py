"""The Diffused Value Function in torch: occupancy, reward, dynamics, prior, value, agent, training. No ROS, no simulator."""
