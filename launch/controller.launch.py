"""Start the controller on a robot, or, with `sim:=true`, on the simulation that stands in for one."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, EmitEvent, RegisterEventHandler
from launch.conditions import IfCondition
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution, PythonExpression
from launch_ros.actions import LifecycleNode, Node, PushROSNamespace
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

SHARE = FindPackageShare("dvf_ros")
TASK = LaunchConfiguration("task")
SIM = LaunchConfiguration("sim")
RECORD = LaunchConfiguration("record")

ARGUMENTS = [
    DeclareLaunchArgument("namespace", default_value="", description="Namespace of the robot: all topics lie in it"),
    DeclareLaunchArgument("use_sim_time", default_value=SIM, description="Take the time from /clock"),
    DeclareLaunchArgument(
        "params_file",
        default_value=PathJoinSubstitution([SHARE, "config", "controller.yaml"]),
        description="Node parameters (YAML); what stands there wins over the launch arguments",
    ),
    DeclareLaunchArgument("autostart", default_value="true", description="Configure and activate the controller at once"),
    DeclareLaunchArgument("log_level", default_value="info", description="debug, info, warn, error or fatal"),
    DeclareLaunchArgument("robot", default_value="panda", description="Robot: with the task it names the spec"),
    DeclareLaunchArgument("task", default_value="lift", description="Task: with the robot it names spec and checkpoint"),
    DeclareLaunchArgument(
        "spec",
        default_value=PathJoinSubstitution([SHARE, "config", [LaunchConfiguration("robot"), "_", TASK, ".yaml"]]),
        description="Robot spec (YAML)",
    ),
    DeclareLaunchArgument(
        "checkpoint",
        default_value=PathJoinSubstitution([SHARE, "resource", [LaunchConfiguration("robot"), "_", TASK, ".yaml"]]),
        description="Trained agent: the .yaml, with its .safetensors beside it",
    ),
    DeclareLaunchArgument("device", default_value="auto", description="auto, cpu or cuda"),
    DeclareLaunchArgument("score", default_value="true", description="false: the behavior prior alone, for comparison"),
    DeclareLaunchArgument("sim", default_value="false", description="Start the robosuite simulation in place of a robot"),
    DeclareLaunchArgument("speed", default_value="1.0", description="Simulation: times real time"),
    DeclareLaunchArgument(
        "episodes", default_value="0", description="Simulation: run so many episodes, sum them up and end; 0: go on for ever"
    ),
    DeclareLaunchArgument("seed", default_value="0", description="Simulation: seed of the first episode"),
    DeclareLaunchArgument("record", default_value="false", description="Record the run as a bag"),
    DeclareLaunchArgument("output", default_value="results/bags", description="Folder of the bags"),
    DeclareLaunchArgument("result", default_value="results/demo.json", description="Where the episodes' figures go"),
]


def generate_launch_description() -> LaunchDescription:
    """Describe the launch."""
    common = {
        "arguments": ["--ros-args", "--log-level", LaunchConfiguration("log_level")],
        "output": "screen",
        "emulate_tty": True,
    }
    spec = {"spec": LaunchConfiguration("spec"), "use_sim_time": LaunchConfiguration("use_sim_time")}
    params_file = LaunchConfiguration("params_file")
    runs_episodes = PythonExpression(["'", SIM, "'.lower() == 'true' and int('", LaunchConfiguration("episodes"), "') > 0"])
    controller = LifecycleNode(
        package="dvf_ros",
        executable="controller",
        name="controller",
        namespace="",
        autostart=LaunchConfiguration("autostart"),
        parameters=[
            spec,
            {
                "checkpoint": LaunchConfiguration("checkpoint"),
                "device": LaunchConfiguration("device"),
                "score": ParameterValue(LaunchConfiguration("score"), value_type=bool),
                "tick_on": PythonExpression(["'state' if '", SIM, "'.lower() == 'true' else 'timer'"]),
            },
            params_file,
        ],
        **common,
    )
    sim_bridge = Node(
        package="dvf_ros",
        executable="sim_bridge",
        condition=IfCondition(SIM),
        # The bridge is the clock: it must not wait for one.
        parameters=[
            spec,
            {
                "use_sim_time": False,
                "mode": "realtime",
                "speed": ParameterValue(LaunchConfiguration("speed"), value_type=float),
            },
            params_file,
        ],
        **common,
    )
    recorder = Node(
        package="dvf_ros",
        executable="recorder",
        condition=IfCondition(RECORD),
        parameters=[
            spec,
            {
                "output": LaunchConfiguration("output"),
                "extra_topics": ["controller/futures", "controller/scores", "controller/value", "controller/status"],
            },
            params_file,
        ],
        **common,
    )
    episode_runner = Node(
        package="dvf_ros",
        executable="episode_runner",
        condition=IfCondition(runs_episodes),
        parameters=[
            spec,
            {
                "episodes": ParameterValue(LaunchConfiguration("episodes"), value_type=int),
                "seed": ParameterValue(LaunchConfiguration("seed"), value_type=int),
                "record": ParameterValue(RECORD, value_type=bool),
                "result": LaunchConfiguration("result"),
            },
            params_file,
        ],
        **common,
    )
    end_with_the_episodes = RegisterEventHandler(
        OnProcessExit(target_action=episode_runner, on_exit=[EmitEvent(event=Shutdown(reason="the episodes are over"))]),
        condition=IfCondition(runs_episodes),
    )
    namespace = PushROSNamespace(LaunchConfiguration("namespace"))
    return LaunchDescription(
        [*ARGUMENTS, namespace, sim_bridge, recorder, controller, episode_runner, end_with_the_episodes]
    )
