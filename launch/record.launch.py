"""Record a robot's topics, one bag per episode (services ~/start and ~/end), or all at once (`autostart:=true`)."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

SHARE = FindPackageShare("dvf_ros")

ARGUMENTS = [
    DeclareLaunchArgument("namespace", default_value="", description="Namespace of the robot: all topics lie in it"),
    DeclareLaunchArgument("use_sim_time", default_value="false", description="Take the time from /clock"),
    DeclareLaunchArgument(
        "params_file",
        default_value=PathJoinSubstitution([SHARE, "config", "recorder.yaml"]),
        description="Node parameters (YAML); what stands there wins over the launch arguments",
    ),
    DeclareLaunchArgument("autostart", default_value="false", description="Begin to record at once, without ~/start"),
    DeclareLaunchArgument("log_level", default_value="info", description="debug, info, warn, error or fatal"),
    DeclareLaunchArgument(
        "spec",
        default_value=PathJoinSubstitution([SHARE, "config", "panda_lift.yaml"]),
        description="Robot spec (YAML): its topics are recorded",
    ),
    DeclareLaunchArgument("output", default_value="bags", description="Folder that gets one bag per episode"),
    DeclareLaunchArgument("behavior", default_value="", description="Label of who acts, for what autostart records"),
]


def generate_launch_description() -> LaunchDescription:
    """Describe the launch."""
    text = {name: ParameterValue(LaunchConfiguration(name), value_type=str) for name in ("spec", "output", "behavior")}
    flags = {name: ParameterValue(LaunchConfiguration(name), value_type=bool) for name in ("use_sim_time", "autostart")}
    recorder = Node(
        package="dvf_ros",
        executable="recorder",
        namespace=LaunchConfiguration("namespace"),
        parameters=[text, flags, LaunchConfiguration("params_file")],
        arguments=["--ros-args", "--log-level", LaunchConfiguration("log_level")],
        output="screen",
        emulate_tty=True,
    )
    return LaunchDescription([*ARGUMENTS, recorder])
