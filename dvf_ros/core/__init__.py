"""What every room agrees on: the robot spec, field selection, alignment to ticks. Numpy and yaml only."""
