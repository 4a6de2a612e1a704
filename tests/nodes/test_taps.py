"""Topics that a recorder taps: each once, however it is named, and of types that are not installed here."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest
from rclpy.qos import QoSProfile

from dvf_ros.nodes.taps import Tap
from tests.data.bag_making import JOINTS
from tests.nodes.harness import ros_domain
from tests.nodes.recorded_robot import TYPES, Robot, counts, end, start


@pytest.mark.ros
def test_a_topic_that_is_named_in_two_ways_is_recorded_once(tmp_path: Path) -> None:
    (tmp_path / "joints.yaml").write_text(JOINTS)
    parameters = {
        "spec": tmp_path / "joints.yaml",
        "output": tmp_path / "bags",
        "extra_topics": "[/joint_states, tip, /tip]",
    }
    with ros_domain(tmp_path) as (processes, observer):
        robot = Robot(observer)
        processes.start("recorder", parameters)
        robot.wait()
        assert start(observer, "once").success
        for k in range(20):
            robot.step(k)
        assert end(observer).messages == 20 * len(TYPES)
    assert counts(tmp_path / "bags" / "once") == {f"/{topic}": 20 for topic in TYPES}


class Graph:
    """What a tap asks its node for."""

    def __init__(self) -> None:
        self.publishers: list[Any] = []
        self.create_subscription = MagicMock()
        self.logger = MagicMock()

    def resolve_topic_name(self, topic: str) -> str:
        return f"/{topic}"

    def get_publishers_info_by_topic(self, name: str) -> list[Any]:
        return self.publishers

    def get_logger(self) -> Any:
        return self.logger


def publisher(type_name: str) -> Any:
    return SimpleNamespace(
        endpoint_gid=[1], topic_type=type_name, topic_type_hash="RIHS01_x", qos_profile=QoSProfile(depth=1)
    )


@pytest.mark.parametrize(
    ("unknown", "why"),
    [
        ("acme_msgs/msg/Grip", "the package 'acme_msgs' is not installed or not sourced"),
        ("std_msgs/msg/Grip", "the package 'std_msgs' has no 'msg/Grip.msg'"),
        ("std_srvs/srv/Trigger_Event", "it has no .msg file"),
        ("example_interfaces/action/Fibonacci_FeedbackMessage", "it has no .msg file"),
    ],
)
def test_a_type_that_is_not_installed_is_told_and_the_tap_goes_on(unknown: str, why: str) -> None:
    graph = Graph()
    tap = Tap(graph, "grip", "", MagicMock())
    graph.publishers = [publisher(unknown)]
    for _ in range(3):
        tap.follow()
    assert tap.problem.startswith(f"topic '/grip': expected a type that is installed, found {unknown}: {why}")
    graph.logger.error.assert_called_once()
    assert "it is not recorded" in graph.logger.error.call_args[0][0]
    graph.create_subscription.assert_not_called()

    graph.publishers = [publisher("std_msgs/msg/String")]
    tap.follow()
    assert not tap.problem
    graph.create_subscription.assert_called_once()
