"""Two robots side by side from the launch file that a user starts: each under its own namespace, neither disturbed."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from geometry_msgs.msg import Twist
from std_srvs.srv import SetBool, Trigger

from dvf_ros.msg import ControllerStatus
from tests.nodes.harness import ros_domain, wait_for
from tests.nodes.test_controller import CONFIG, LATCHED, Base, checkpoint, moves, stands

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


def test_two_robots_from_one_launch(checkpoint: Path, tmp_path: Path) -> None:
    file = tmp_path / "both.launch.py"
    file.write_text(LAUNCH.replace("SPEC", str(CONFIG / "base_goto.yaml")).replace("CHECKPOINT", str(checkpoint)))
    with ros_domain(tmp_path) as (processes, observer):
        environment = os.environ | {
            "ROS_DOMAIN_ID": str(processes.domain),
            "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        }
        log = (tmp_path / "launch.log").open("wb")
        # A script that runs in the background leaves SIGINT ignored to all that it starts; launch then never hears it.
        command = ["env", "--default-signal=INT", "ros2", "launch", str(file)]
        launch = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
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
        finally:
            launch.send_signal(signal.SIGINT)
            launch.wait(30)
            log.close()
