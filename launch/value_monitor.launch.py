"""Watch the value of whatever controller drives the robot. Commands nothing."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, GroupAction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node, PushROSNamespace

from dvf_ros.nodes.launching import NODE, common_arguments, model_arguments, switched, value_of

ARGUMENTS = [
    *common_arguments("value_monitor.yaml"),
    *model_arguments(),
    DeclareLaunchArgument(
        "reward", default_value="", description="Reward as an expression over the spec's state; empty: the learned one"
    ),
]


def generate_launch_description() -> LaunchDescription:
    """Describe the launch."""
    monitor = Node(
        executable="value_monitor",
        parameters=[
            value_of(str, "spec", "checkpoint", "device", "reward"),
            switched("use_sim_time"),
            LaunchConfiguration("params_file"),
        ],
        **NODE,
    )
    return LaunchDescription([*ARGUMENTS, GroupAction([PushROSNamespace(LaunchConfiguration("namespace")), monitor])])
