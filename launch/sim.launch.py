"""Start the robosuite simulation alone, behind the topics of an ordinary robot."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration, PythonExpression
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from dvf_ros.nodes.launching import NODE, common_arguments, value_of

AUTOSTART = LaunchConfiguration("autostart")

ARGUMENTS = [
    *common_arguments("sim.yaml"),
    DeclareLaunchArgument("autostart", default_value="true", description="false: start paused"),
    DeclareLaunchArgument(
        "mode",
        default_value="realtime",
        choices=["realtime", "lockstep"],
        description="realtime: steps on the clock's beat. lockstep: one command, one step, however long it takes",
    ),
    DeclareLaunchArgument("speed", default_value="1.0", description="Real time: seconds simulated in one second"),
    DeclareLaunchArgument("seed", default_value="0", description="Seed of the first episode"),
]


def generate_launch_description() -> LaunchDescription:
    """Describe the launch."""
    sim_bridge = Node(
        executable="sim_bridge",
        namespace=LaunchConfiguration("namespace"),
        parameters=[
            value_of(str, "spec", "mode"),
            value_of(bool, "use_sim_time"),
            value_of(float, "speed"),
            value_of(int, "seed"),
            {"paused": ParameterValue(PythonExpression(["'", AUTOSTART, "'.lower() != 'true'"]), value_type=bool)},
            LaunchConfiguration("params_file"),
        ],
        **NODE,
    )
    return LaunchDescription([*ARGUMENTS, sim_bridge])
