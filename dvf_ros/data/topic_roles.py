"""What a topic could be to a controller: a state, an action, an outcome, or nothing; told by its name and type."""

from __future__ import annotations

import re
from typing import Literal

Role = Literal["state", "action", "outcome", "none"]

ACTION_NAME = re.compile(
    r"cmd|command|setpoint|set_point|desired|reference|target|teleop|(^|_)(control+|ctrl|action|goal|des|ref)(_|$)"
)
ACTION_TYPES = (
    "ackermann_msgs/msg/",
    "trajectory_msgs/msg/",
    "control_msgs/msg/JointJog",
    "mavros_msgs/msg/AttitudeTarget",
    "mavros_msgs/msg/PositionTarget",
    "sensor_msgs/msg/Joy",
    "geometry_msgs/msg/Twist",
)
MEASURED = re.compile(r"odom|velocity|vel_est|measured|estimate|state|twist$")  # of a twist: no command
OUTCOME_TYPE = "dvf_ros/msg/Outcome"
# Of these a vector makes no state: pictures, clouds, maps, texts, the hidden topics of ROS actions, and what ROS says
# about itself.
NOT_NUMBERS = re.compile(
    r"Image$|PointCloud|LaserScan|OccupancyGrid|Costmap|CameraInfo|Marker|/String$|/Empty$|/Path$|/Log$|/Clock$|TFMessage"
    r"|Diagnostic|ParameterEvent|Event$|RobotDescription|Statistics|^rcl_interfaces|^lifecycle_msgs|^rosbag2|^dvf_ros/|Color"
    r"|^visualization_msgs|^foxglove_msgs|^builtin_interfaces|Status$|StatusArray$|/Header$|/Time$|/action/"
)


def role_of(topic: str, kind: str) -> tuple[Role, str]:
    """What the topic could be, and why."""
    if kind == OUTCOME_TYPE:
        return "outcome", "rewards and success"
    if found := NOT_NUMBERS.search(kind):
        return "none", f"no vector of numbers ({found.group().strip('/')})"
    # The last two names tell the purpose; the first ones are the robot's.
    ending = "_".join(part for part in topic.lower().split("/")[-2:] if part)
    if found := ACTION_NAME.search(ending):
        return "action", f"'{found.group().strip('_')}' in its name"
    measured = "WithCovariance" in kind or ("Twist" in kind and MEASURED.search(ending))
    if kind.startswith(ACTION_TYPES) and not measured:
        return "action", "its type usually is a command"
    return "state", "numbers"
