"""Start the robosuite simulation alone, behind the topics of an ordinary robot."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration, NotSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from dvf_ros.nodes.launch_arguments import is_on, number, switch
from dvf_ros.nodes.launching import NODE, common_arguments, switched, value_of

ARGUMENTS = [
    *common_arguments("sim.yaml"),
    switch("autostart", True, "false: start paused"),
    DeclareLaunchArgument(
        "mode",
        default_value="realtime",
        choices=["realtime", "lockstep"],
        description="realtime: steps on the clock's beat. lockstep: one command, one step, however long it takes",
    ),
    number("speed", float, "1.0", "Real time: seconds simulated in one second"),
    number("seed", int, "0", "Seed of the first episode"),
]


def generate_launch_description() -> LaunchDescription:
    """Describe the launch."""
    sim_bridge = Node(
        executable="sim_bridge",
        namespace=LaunchConfiguration("namespace"),
        parameters=[
            value_of(str, "spec", "mode"),
            switched("use_sim_time"),
            value_of(float, "speed"),
            value_of(int, "seed"),
            {"paused": ParameterValue(NotSubstitution(is_on("autostart")), value_type=bool)},
            LaunchConfiguration("params_file"),
        ],
        **NODE,
    )
    return LaunchDescription([*ARGUMENTS, sim_bridge])
