"""Simulation of manipulation tasks and scripted behaviours; knows neither ROS nor torch."""
