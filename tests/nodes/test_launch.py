"""What `ros2 launch` starts: two robots side by side, neither disturbed; parameters for the node that they name."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from geometry_msgs.msg import Twist
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import GetState
from rcl_interfaces.srv import GetParameters
from std_srvs.srv import SetBool, Trigger

from dvf_ros.msg import ControllerStatus
from tests.nodes.harness import ros_domain, wait_for
from tests.nodes.test_controller import CONFIG, LATCHED, Base, change_state, checkpoint, moves, stands

__all__ = ["checkpoint"]  # the fixture

pytestmark = [pytest.mark.ros, pytest.mark.slow, pytest.mark.timeout(300)]

LAUNCH = """
from launch import LaunchDescription
from launch.actions import IncludeLaunchDescription
from launch.substitutions import PathJoinSubstitution

from dvf_ros.nodes.launching import SHARE

def generate_launch_description():
    path = PathJoinSubstitution([SHARE, "launch", "controller.launch.py"])
    common = {"spec": "SPEC", "checkpoint": "CHECKPOINT", "device": "cpu"}
    return LaunchDescription(
        [
            IncludeLaunchDescription(path, launch_arguments={**common, "namespace": robot}.items())
            for robot in ("left", "right")
        ]
    )
"""


@contextmanager
def launched(domain: int, logs: Path, *words: str) -> Iterator[None]:
    """What `ros2 launch` starts, on this domain, until the test is done with it."""
    environment = os.environ | {"ROS_DOMAIN_ID": str(domain), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    # A script that runs in the background leaves SIGINT ignored to all that it starts; launch then never hears it.
    command = ["env", "--default-signal=INT", "ros2", "launch", *words]
    with (logs / "launch.log").open("wb") as log:
        launch = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            yield
        finally:
            launch.send_signal(signal.SIGINT)
            launch.wait(30)


def test_two_robots_from_one_launch(checkpoint: Path, tmp_path: Path) -> None:
    file = tmp_path / "both.launch.py"
    file.write_text(LAUNCH.replace("SPEC", str(CONFIG / "base_goto.yaml")).replace("CHECKPOINT", str(checkpoint)))
    with ros_domain(tmp_path) as (processes, observer), launched(processes.domain, tmp_path, str(file)):
        robots = ("left", "right")
        commands = {robot: observer.collect(Twist, f"{robot}/cmd_vel") for robot in robots}
        statuses = {
            robot: observer.collect(ControllerStatus, f"{robot}/controller/status", LATCHED) for robot in robots
        }
        bases = {robot: Base(observer, namespace=f"{robot}/") for robot in robots}
        for robot in robots:
            wait_for(lambda r=robot: moves(commands[r]), f"motion of {robot}", 120.0)

        def goes_on(robot: str) -> None:
            seen = len(commands[robot])
            wait_for(lambda: len(commands[robot]) > seen + 5 and moves(commands[robot]), f"motion of {robot}")

        bases["left"].imu_runs = False
        wait_for(lambda: stands(commands["left"]), "a stop of the robot without an IMU")
        wait_for(lambda: "imu" in statuses["left"][-1].reason, "its reason")
        goes_on("right")
        bases["left"].imu_runs = True
        goes_on("left")

        assert observer.call(Trigger, "right/command_gate/estop", Trigger.Request()).success
        wait_for(lambda: stands(commands["right"]), "the e-stop of one robot")
        goes_on("left")
        assert observer.call(SetBool, "left/controller/pause", SetBool.Request(data=True)).success
        wait_for(lambda: stands(commands["left"]), "the pause of the other")
        assert observer.call(Trigger, "right/command_gate/release", Trigger.Request()).success
        goes_on("right")
        assert stands(commands["left"]) and statuses["left"][-1].state == ControllerStatus.PAUSED
        topics = {name for name, _ in observer.node.get_topic_names_and_types()}
        assert not {name for name in topics if name.startswith(("/controller", "/command_gate", "/cmd", "/unsafe"))}


def test_a_start_that_failed_is_told_and_configuring_by_hand_later_activates_nothing(
    checkpoint: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "agent.yaml"
    words = ("controller.launch.py", f"spec:={CONFIG / 'base_goto.yaml'}", f"checkpoint:={copy}", "device:=cpu")
    with ros_domain(tmp_path) as (processes, observer), launched(processes.domain, tmp_path, "dvf_ros", *words):
        log = tmp_path / "launch.log"
        wait_for(lambda: "/controller]: not configured, and left as it is" in log.read_text(), "the failure", 60.0)
        assert str(copy) in log.read_text(), "the controller's own log says which file"
        for suffix in (".yaml", ".safetensors"):
            copy.with_suffix(suffix).write_bytes(checkpoint.with_suffix(suffix).read_bytes())
        assert change_state(observer, Transition.TRANSITION_CONFIGURE)

        def state() -> int:
            return observer.call(GetState, "controller/get_state", GetState.Request()).current_state.id

        until = time.monotonic() + 2.0
        while time.monotonic() < until:
            assert state() == State.PRIMARY_STATE_INACTIVE


def test_the_recorder_takes_its_parameters_under_a_namespace_and_others_leave_them(tmp_path: Path) -> None:
    file, spec = tmp_path / "recorder.yaml", CONFIG / "base_goto.yaml"
    file.write_text((CONFIG / "recorder.yaml").read_text().replace("flush_period: 0.25", "flush_period: 0.5"))
    words = ("record.launch.py", "namespace:=left", f"params_file:={file}", f"spec:={spec}", f"output:={tmp_path}")
    with ros_domain(tmp_path) as (processes, observer), launched(processes.domain, tmp_path, "dvf_ros", *words):
        processes.start("command_gate", {"spec": spec}, namespace="/left", params_file=file)

        def value_of(node: str, name: str) -> float:
            answer = observer.call(GetParameters, f"left/{node}/get_parameters", GetParameters.Request(names=[name]))
            return answer.values[0].double_value

        assert value_of("recorder", "flush_period") == 0.5
        assert value_of("command_gate", "deadline") == 0.15
