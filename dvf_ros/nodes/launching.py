"""What the launch files share."""

from __future__ import annotations

from launch import Action, LaunchContext
from launch.actions import DeclareLaunchArgument, EmitEvent, RegisterEventHandler
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.events.process import ProcessExited
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from dvf_ros.nodes.launch_arguments import LOG_LEVELS, is_on, switch, yaml_file

SHARE = FindPackageShare("dvf_ros")

NODE = {
    "package": "dvf_ros",
    "output": "screen",
    "emulate_tty": True,
    "ros_arguments": ["--log-level", LaunchConfiguration("log_level")],
}
"""What every node of a launch file gets."""


def common_arguments(params_file: str) -> list[DeclareLaunchArgument]:
    """The arguments that all launch files have; `params_file` in config/ is the default for the parameters."""
    return [
        DeclareLaunchArgument(
            "namespace", default_value="", description="Namespace of the robot: all topics lie in it"
        ),
        switch("use_sim_time", False, "Take the time from /clock"),
        yaml_file(
            "params_file",
            PathJoinSubstitution([SHARE, "config", params_file]),
            "Node parameters (YAML); what stands there wins over the launch arguments",
        ),
        DeclareLaunchArgument(
            "log_level", default_value="info", choices=LOG_LEVELS, description="Least severity that is logged"
        ),
        DeclareLaunchArgument("robot", default_value="panda", description="Robot: with the task it names the spec"),
        DeclareLaunchArgument("task", default_value="lift", description="Task: with the robot it names the spec"),
        DeclareLaunchArgument(
            "spec",
            default_value=PathJoinSubstitution(
                [SHARE, "config", [LaunchConfiguration("robot"), "_", LaunchConfiguration("task"), ".yaml"]]
            ),
            description="Robot spec (YAML)",
        ),
    ]


def model_arguments() -> list[DeclareLaunchArgument]:
    """The arguments of launch files with a node that runs a trained agent."""
    return [
        DeclareLaunchArgument(
            "checkpoint",
            default_value=PathJoinSubstitution(
                [SHARE, "resource", [LaunchConfiguration("robot"), "_", LaunchConfiguration("task"), ".yaml"]]
            ),
            description="Trained agent: the .yaml, with its .safetensors beside it",
        ),
        DeclareLaunchArgument("device", default_value="auto", description="auto, cpu or cuda"),
    ]


def value_of(kind: type, *names: str) -> dict[str, ParameterValue]:
    """Parameters that launch arguments of the same names set; `kind`, since a text such as 1 would become a number."""
    return {name: ParameterValue(LaunchConfiguration(name), value_type=kind) for name in names}


def switched(*names: str) -> dict[str, ParameterValue]:
    """Parameters that switches of the same names set."""
    return {name: ParameterValue(is_on(name), value_type=bool) for name in names}


class StepFailed(RuntimeError):
    """A process that a launch exists for ended with a status other than 0; launch itself then ends with 1."""


def end_with(process: Action, what: str) -> RegisterEventHandler:
    """End the launch when `process` ends; a status other than 0 becomes the launch's own."""

    def on_exit(event: ProcessExited, context: LaunchContext) -> list[Action]:
        if event.returncode:
            # launch has no way to say "end with this status"; it ends everything and returns 1 for an exception.
            raise StepFailed(f"{what} ended with status {event.returncode}")
        return [EmitEvent(event=Shutdown(reason=f"{what} is done"))]

    return RegisterEventHandler(OnProcessExit(target_action=process, on_exit=on_exit))
