"""Start the controller on a robot, or, with `sim:=true`, on the simulation that stands in for one."""

from ament_index_python.packages import PackageNotFoundError, get_package_prefix
from launch import Action, LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, GroupAction, LogInfo, OpaqueFunction
from launch.conditions import IfCondition
from launch.substitutions import (
    AndSubstitution,
    EqualsSubstitution,
    IfElseSubstitution,
    LaunchConfiguration,
    NotEqualsSubstitution,
    OrSubstitution,
    PathJoinSubstitution,
)
from launch_ros.actions import LifecycleNode, Node, PushROSNamespace
from launch_ros.parameter_descriptions import ParameterValue

from dvf_ros.control.gate import input_topic
from dvf_ros.core.spec import RobotSpec
from dvf_ros.nodes.autostart import Autostart
from dvf_ros.nodes.launch_arguments import is_on, number, switch
from dvf_ros.nodes.launching import NODE, SHARE, common_arguments, end_with, model_arguments, switched, value_of

RECORDED = ["controller/futures", "controller/scores", "controller/value", "controller/status"]

ARGUMENTS = [
    *common_arguments("controller.yaml"),
    switch("autostart", True, "Configure and activate the controller, or leave it if that fails"),
    *model_arguments(),
    DeclareLaunchArgument(
        "policy",
        default_value="",
        choices=["", "best", "actor", "prior"],
        description="best of the candidates, the distilled actor, or the behavior prior alone; empty: the checkpoint's",
    ),
    DeclareLaunchArgument(
        "reward", default_value="", description="Reward as an expression over the spec's state; empty: the learned one"
    ),
    switch(
        "gate",
        True,
        "Have the command_gate, a process of its own, judge every command and stop the robot without them",
    ),
    switch("sim", False, "Start the robosuite simulation in place of a robot"),
    number("speed", float, "1.0", "Simulation: times real time"),
    number("episodes", int, "0", "Simulation: run so many episodes, sum them up and end; 0: go on for ever"),
    # The shipped checkpoint was trained on episodes of the seeds 0 to 399 and evaluated on 100000 to 100049.
    number("seed", int, "5000", "Simulation: seed of the first episode"),
    switch("record", False, "Record the run as a bag"),
    DeclareLaunchArgument("output", default_value="results/bags", description="Folder of the bags"),
    switch("rviz", False, "Show it in RViz, if rviz2 is installed"),
    DeclareLaunchArgument("result", default_value="results/demo.json", description="Where the episodes' figures go"),
]


def gated_topics(context: LaunchContext) -> list[tuple[str, str]]:
    """Remappings that lead the controller's commands into the gate, if there is one."""
    if is_on("gate").perform(context) == "false":
        return []
    spec = RobotSpec.load(LaunchConfiguration("spec").perform(context))
    return [(source.topic, input_topic(source.topic)) for source in spec.action]


def rviz(context: LaunchContext) -> list[Action]:
    """RViz, where it is there: a robot's own computer often has none."""
    try:
        get_package_prefix("rviz2")
    except PackageNotFoundError:
        return [LogInfo(msg="rviz:=true, but the package rviz2 is not installed; going on without")]
    config = PathJoinSubstitution([SHARE, "config", "controller.rviz"])
    return [Node(package="rviz2", executable="rviz2", arguments=["-d", config], output="log")]


def generate_launch_description() -> LaunchDescription:
    """Describe the launch."""
    params_file = LaunchConfiguration("params_file")
    # A simulation is the clock for everybody else, and its topics all report at once: tick when they have.
    simulated = is_on("sim")
    use_sim_time = OrSubstitution(simulated, is_on("use_sim_time"))
    spec = {**value_of(str, "spec"), "use_sim_time": ParameterValue(use_sim_time, value_type=bool)}
    pace = IfElseSubstitution(simulated, LaunchConfiguration("speed"), "1.0")
    speed = {"speed": ParameterValue(pace, value_type=float)}
    runs_episodes = AndSubstitution(simulated, NotEqualsSubstitution(LaunchConfiguration("episodes"), "0"))

    # Which topics are remapped is known only once the spec is read.
    def controller(context: LaunchContext) -> list[Action]:
        node = LifecycleNode(
            executable="controller",
            name="controller",
            namespace="",
            parameters=[
                spec,
                value_of(str, "checkpoint", "device", "policy", "reward"),
                {"tick_on": IfElseSubstitution(simulated, "state", "timer"), **speed},
                params_file,
            ],
            remappings=gated_topics(context),
            **NODE,
        )
        return [node, Autostart(node, condition=IfCondition(is_on("autostart")))]

    command_gate = Node(
        executable="command_gate",
        condition=IfCondition(is_on("gate")),
        parameters=[
            spec,
            speed,
            params_file,
        ],
        **NODE,
    )
    sim_bridge = Node(
        executable="sim_bridge",
        condition=IfCondition(simulated),
        parameters=[
            {**value_of(str, "spec"), **value_of(float, "speed"), **value_of(int, "seed"), "mode": "realtime"},
            params_file,
        ],
        **NODE,
    )
    recorder = Node(
        executable="recorder",
        condition=IfCondition(is_on("record")),
        parameters=[spec, {**value_of(str, "output"), "extra_topics": RECORDED}, params_file],
        **NODE,
    )
    # Play knows no success: there, goals are given in turn instead.
    episode_runner = Node(
        executable=IfElseSubstitution(
            EqualsSubstitution(LaunchConfiguration("task"), "play"), "goal_sequence", "episode_runner"
        ),
        condition=IfCondition(runs_episodes),
        parameters=[
            spec,
            {**value_of(int, "episodes", "seed"), **switched("record"), **value_of(str, "result")},
            params_file,
        ],
        **NODE,
    )
    robot = [
        sim_bridge,
        recorder,
        command_gate,
        OpaqueFunction(function=controller),
        episode_runner,
        OpaqueFunction(function=rviz, condition=IfCondition(is_on("rviz"))),
    ]
    group = GroupAction([PushROSNamespace(LaunchConfiguration("namespace")), *robot])
    return LaunchDescription([*ARGUMENTS, group, end_with(episode_runner, "the episodes")])
