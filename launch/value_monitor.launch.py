"""Watch the value of whatever controller drives the robot. Commands nothing."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, GroupAction
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node, PushROSNamespace
from launch_ros.parameter_descriptions import ParameterValue

from dvf_ros.nodes.launching import NODE, SHARE, common_arguments

ARGUMENTS = [
    *common_arguments("value_monitor.yaml"),
    DeclareLaunchArgument(
        "checkpoint",
        default_value=PathJoinSubstitution(
            [SHARE, "resource", [LaunchConfiguration("robot"), "_", LaunchConfiguration("task"), ".yaml"]]
        ),
        description="Trained agent: the .yaml, with its .safetensors beside it",
    ),
    DeclareLaunchArgument("device", default_value="auto", description="auto, cpu or cuda"),
    DeclareLaunchArgument(
        "reward", default_value="", description="Reward as an expression over the spec's state; empty: the learned one"
    ),
]


def generate_launch_description() -> LaunchDescription:
    """Describe the launch."""
    monitor = Node(
        package="dvf_ros",
        executable="value_monitor",
        parameters=[
            {
                "spec": LaunchConfiguration("spec"),
                "checkpoint": LaunchConfiguration("checkpoint"),
                "device": LaunchConfiguration("device"),
                "reward": ParameterValue(LaunchConfiguration("reward"), value_type=str),
                "use_sim_time": ParameterValue(LaunchConfiguration("use_sim_time"), value_type=bool),
            },
            LaunchConfiguration("params_file"),
        ],
        **NODE,
    )
    return LaunchDescription([*ARGUMENTS, GroupAction([PushROSNamespace(LaunchConfiguration("namespace")), monitor])])
