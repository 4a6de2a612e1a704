"""The RViz configuration and the Foxglove layout show topics that there are, and can show what is on them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from dvf_ros.core.expression_parsing import parse_expression
from dvf_ros.core.spec import RobotSpec

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "config"
NODES = ("controller", "sim_bridge", "value_monitor")
STANDARD = {"robot_description": "String", "diagnostics": "DiagnosticArray", "initialpose": "PoseWithCovarianceStamped"}
RVIZ = {
    "RobotModel": "String",
    "MarkerArray": "MarkerArray",
    "Pose": "PoseStamped",
    "PublishPoint": "PointStamped",
    "SetGoal": "PoseStamped",
}
"""What a display shows or a tool publishes."""


def private(what: str) -> dict[str, str]:
    """`node/name` and its type for every `~/name` that the sources create of a kind, for any of our nodes."""
    pattern = re.compile(rf'create_({what})\(\s*(\w+), "~/(\w+)"')
    found = {
        name: kind
        for path in (ROOT / "dvf_ros" / "nodes").glob("*.py")
        for _, kind, name in pattern.findall(path.read_text(encoding="utf-8"))
    }
    return {f"{node}/{name}": kind for node in NODES for name, kind in found.items()}


STATES = {source.topic: source.type.split("/")[-1] for source in RobotSpec.load(CONFIG / "panda_lift.yaml").state}
KNOWN = private("publisher|subscription") | STATES | STANDARD


def rviz() -> dict[str, Any]:
    return yaml.safe_load((CONFIG / "controller.rviz").read_text(encoding="utf-8"))["Visualization Manager"]


def foxglove() -> dict[str, Any]:
    return json.loads((CONFIG / "foxglove_layout.json").read_text(encoding="utf-8"))


def shown_by_rviz(node: Any) -> list[tuple[str, str, dict[str, Any]]]:
    """(class, topic, its QoS) of every display and tool below a node of the RViz configuration."""
    if isinstance(node, list):
        return [shown for item in node for shown in shown_by_rviz(item)]
    if not isinstance(node, dict):
        return []
    own = [
        (node["Class"].split("/")[-1], value["Value"], value)
        for key, value in node.items()
        if key.endswith("Topic") and isinstance(value, dict)
    ]
    return own + [shown for value in node.values() for shown in shown_by_rviz(value)]


def test_rviz_shows_and_publishes_known_topics_of_the_right_type() -> None:
    shown = shown_by_rviz(rviz())
    topics = {topic for _, topic, _ in shown}
    assert {"controller/markers", "controller/goal", "controller/goal_point", "sim_bridge/arm"} <= topics
    assert {topic: RVIZ[kind] for kind, topic, _ in shown} == {topic: KNOWN.get(topic) for topic in topics}
    assert rviz()["Global Options"]["Fixed Frame"] == RobotSpec.load(CONFIG / "panda_lift.yaml").frame


def test_rviz_asks_for_no_more_than_publishers_promise() -> None:
    for _, topic, qos in shown_by_rviz(rviz()):
        assert (qos["Durability Policy"] == "Transient Local") == (topic == "robot_description"), topic
        assert (qos["Reliability Policy"] == "Best Effort") == (topic in STATES), topic


def test_foxglove_shows_and_publishes_known_topics() -> None:
    panels = foxglove()["configById"]
    robot = panels["3D!robot"]
    shown = {topic.lstrip("/") for topic in robot["topics"]}
    assert {"controller/markers", "sim_bridge/arm"} <= shown
    assert {KNOWN[topic] for topic in shown} <= {"MarkerArray", "PoseStamped", "String"}
    said = {key: KNOWN[topic.lstrip("/")] for key, topic in robot["publish"].items() if key.endswith("Topic")}
    assert said == {
        "pointTopic": "PointStamped",
        "poseTopic": "PoseStamped",
        "poseEstimateTopic": "PoseWithCovarianceStamped",
    }
    assert KNOWN[panels["RawMessages!status"]["topicPath"].lstrip("/")] == "ControllerStatus"
    assert KNOWN[panels["DiagnosticSummary!all"]["topicToRender"].lstrip("/")] == "DiagnosticArray"
    reward = panels["CallService!reward"]
    assert private("service")[reward["serviceName"].lstrip("/")] == "SetReward"
    asked = json.loads(reward["requestPayload"])
    assert set(asked) == {"expression"}
    parse_expression(asked["expression"], RobotSpec.load(CONFIG / "panda_lift.yaml"))


def test_foxglove_plots_fields_that_there_are() -> None:
    paths = [path["value"].lstrip("/").split(".") for path in foxglove()["configById"]["Plot!value"]["paths"]]
    assert paths
    for topic, *fields in paths:
        message = (ROOT / "msg" / f"{KNOWN[topic]}.msg").read_text(encoding="utf-8")
        assert len(fields) == 1 and re.search(rf"^float(32|64) {fields[0]}\b", message, re.M), (topic, fields)


def test_every_panel_of_the_foxglove_layout_is_placed_once() -> None:
    layout = foxglove()

    def placed(node: Any) -> list[str]:
        return [node] if isinstance(node, str) else placed(node["first"]) + placed(node["second"])

    assert sorted(placed(layout["layout"])) == sorted(layout["configById"])


@pytest.mark.parametrize("name", ["controller.rviz", "foxglove_layout.json"])
def test_the_readme_says_how_to_open_it(name: str) -> None:
    assert name in (ROOT / "README.md").read_text(encoding="utf-8")
