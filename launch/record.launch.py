"""Record a robot's topics, one bag per episode (services ~/start and ~/end), or all at once (`autostart:=true`)."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from dvf_ros.nodes.launch_arguments import switch
from dvf_ros.nodes.launching import NODE, common_arguments, switched, value_of

ARGUMENTS = [
    *common_arguments("recorder.yaml"),
    switch("autostart", False, "Begin to record at once, without ~/start"),
    DeclareLaunchArgument("output", default_value="bags", description="Folder that gets one bag per episode"),
    DeclareLaunchArgument("behavior", default_value="", description="Label of who acts, for what autostart records"),
]


def generate_launch_description() -> LaunchDescription:
    """Describe the launch."""
    recorder = Node(
        executable="recorder",
        namespace=LaunchConfiguration("namespace"),
        parameters=[
            value_of(str, "spec", "output", "behavior"),
            switched("use_sim_time", "autostart"),
            LaunchConfiguration("params_file"),
        ],
        **NODE,
    )
    return LaunchDescription([*ARGUMENTS, recorder])
