"""A recorder that is told to end while `~/end` waits for the last messages: what that asked for still holds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Task

from dvf_ros.data.bag_reader import read_custom
from dvf_ros.nodes.recorder import Recorder
from dvf_ros.srv import EndEpisode
from tests.data.bag_making import JOINTS
from tests.nodes.harness import Observer, own_domain
from tests.nodes.recorded_robot import TYPES, Robot, counts

pytestmark = pytest.mark.ros


@pytest.fixture(scope="module")
def ros(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Recorder, Robot]]:
    """A recorder in this process, so that what comes first is no chance, and a robot to record."""
    folder = tmp_path_factory.mktemp("endings")
    (folder / "joints.yaml").write_text(JOINTS)
    arguments = ["--ros-args", "-p", f"spec:={folder / 'joints.yaml'}", "-p", f"output:={folder}"]
    with own_domain() as domain:
        rclpy.init(args=arguments, domain_id=domain, signal_handler_options=SignalHandlerOptions.NO)
        recorder, executor, observer = Recorder(), SingleThreadedExecutor(), Observer(domain)
        executor.add_node(recorder)
        try:
            robot = Robot(observer)
            robot.wait()
            yield recorder, robot
        finally:
            observer.close()
            executor.shutdown()
            recorder.destroy_node()
            rclpy.shutdown()


def record(recorder: Recorder, robot: Robot, steps: int) -> Path:
    """Begin a bag and let the robot move; none of it has been taken in yet."""
    bag = recorder._begin("", "expert")
    for k in range(steps):
        robot.step(k)
    return bag


def ask(recorder: Recorder, **request: Any) -> Task:
    """The service call `~/end`, with what it will answer, on its way to the recorder."""
    return recorder.executor.create_task(recorder._on_end, EndEpisode.Request(**request), EndEpisode.Response())


def spin(recorder: Recorder, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        recorder.executor.spin_once(timeout_sec=0.001)


@pytest.mark.parametrize("waited", [0.0, 0.005, 0.03], ids=["on_its_way", "waits", "waits_long"])
@pytest.mark.parametrize("discard", [False, True], ids=["kept", "discarded"])
def test_the_bag_ends_as_asked(ros: tuple[Recorder, Robot], waited: float, discard: bool) -> None:
    recorder, robot = ros
    bag = record(recorder, robot, 50)
    asked = ask(recorder, outcome="success", discard=discard)
    spin(recorder, waited)
    recorder.close()
    assert asked.done() and asked.result().success, "whoever asked is told"
    assert asked.result().messages == 50 * len(TYPES)
    if discard:
        assert not bag.exists()
    else:
        assert read_custom(bag)["outcome"] == "success"
        assert counts(bag) == {f"/{topic}": 50 for topic in TYPES}


def test_an_answer_that_comes_too_late_says_so(ros: tuple[Recorder, Robot], monkeypatch: pytest.MonkeyPatch) -> None:
    recorder, robot = ros
    bag = record(recorder, robot, 0)
    asked = ask(recorder, outcome="failure")
    spin(recorder, 0.005)
    monkeypatch.setattr("dvf_ros.nodes.recorder.QUIET_LIMIT", 0.0)
    recorder.close()
    assert read_custom(bag)["outcome"] == "failure"
    assert not asked.done()
    spin(recorder, 0.2)
    assert asked.done() and not asked.result().success
    assert "was told to end" in asked.result().message
