"""Collect episodes: simulation in lockstep, recorder, and scripted behaviours that drive through the topics."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from dvf_ros.nodes.launch_arguments import number
from dvf_ros.nodes.launching import NODE, common_arguments, end_with, switched, value_of

ARGUMENTS = [
    *common_arguments("collect.yaml"),
    number("episodes", int, "400", "Episodes in all; those that are there count"),
    number("steps", int, "120", "Steps of an episode"),
    number("seed", int, "0", "Seed of the first episode; the next ones count up"),
    DeclareLaunchArgument(
        "behaviors",
        default_value="[expert, adept, clumsy, novice]",
        description="Scripted behaviors, taken in turn; one may stand twice",
    ),
    DeclareLaunchArgument("output", default_value="bags", description="Folder that gets one bag per episode"),
    DeclareLaunchArgument("result", default_value="results/collect.json", description="Where the figures go"),
]


def generate_launch_description() -> LaunchDescription:
    """Describe the launch."""
    clock = switched("use_sim_time")
    common = {"namespace": LaunchConfiguration("namespace"), **NODE}
    params_file = LaunchConfiguration("params_file")
    # The bridge is the clock: it must not wait for one.
    bridge_parameters = {**value_of(str, "spec"), "mode": "lockstep", "use_sim_time": False}
    sim_bridge = Node(executable="sim_bridge", parameters=[bridge_parameters, params_file], **common)
    recorder = Node(
        executable="recorder",
        parameters=[value_of(str, "spec", "output"), clock, params_file],
        # Two lines for each of hundreds of episodes would bury the collector's.
        **common | {"ros_arguments": ["--log-level", "warn"]},
    )
    collector = Node(
        executable="collector",
        parameters=[
            value_of(str, "spec", "output", "result"),
            value_of(int, "episodes", "steps", "seed"),
            value_of(list[str], "behaviors"),
            clock,
            params_file,
        ],
        **common,
    )
    return LaunchDescription([*ARGUMENTS, sim_bridge, recorder, collector, end_with(collector, "the collection")])
