"""The RViz configuration and the Foxglove layout show topics that there are."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from dvf_ros.core.spec import RobotSpec

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "config"
STANDARD = {"robot_description", "diagnostics", "initialpose"}


def private_topics() -> set[str]:
    """`node/topic` for every `~/topic` in the sources, for any of our nodes."""
    words = {
        word
        for path in (ROOT / "dvf_ros" / "nodes").glob("*.py")
        for word in re.findall(r'"~/(\w+)"', path.read_text(encoding="utf-8"))
    }
    return {f"{node}/{word}" for node in ("controller", "sim_bridge", "value_monitor") for word in words}


KNOWN = private_topics() | {source.topic for source in RobotSpec.load(CONFIG / "panda_lift.yaml").state} | STANDARD


def rviz() -> dict[str, Any]:
    return yaml.safe_load((CONFIG / "controller.rviz").read_text(encoding="utf-8"))["Visualization Manager"]


def foxglove() -> dict[str, Any]:
    return json.loads((CONFIG / "foxglove_layout.json").read_text(encoding="utf-8"))


def topics_of(node: Any) -> set[str]:
    """All `Topic: {Value: name}` and `Description Topic: …` below a node of the RViz configuration."""
    if isinstance(node, list):
        return set().union(*(topics_of(item) for item in node)) if node else set()
    if not isinstance(node, dict):
        return set()
    own = {value["Value"] for key, value in node.items() if key.endswith("Topic") and isinstance(value, dict)}
    return own.union(*(topics_of(value) for value in node.values()))


def test_rviz_shows_and_publishes_known_topics() -> None:
    topics = topics_of(rviz())
    assert {"controller/markers", "controller/goal", "controller/goal_point", "sim_bridge/arm"} <= topics <= KNOWN
    assert rviz()["Global Options"]["Fixed Frame"] == RobotSpec.load(CONFIG / "panda_lift.yaml").frame


def test_foxglove_shows_and_publishes_known_topics() -> None:
    layout = foxglove()
    text = json.dumps(layout["configById"])
    named = {name.partition(".")[0] for name in re.findall(r'"/([a-z_]+(?:/[a-z_]+)*(?:\.\w+)?)"', text)}
    assert {"controller/markers", "controller/goal", "controller/goal_point", "value_monitor/value"} <= named <= KNOWN


def test_every_panel_of_the_foxglove_layout_is_placed_once() -> None:
    layout = foxglove()

    def placed(node: Any) -> list[str]:
        return [node] if isinstance(node, str) else placed(node["first"]) + placed(node["second"])

    assert sorted(placed(layout["layout"])) == sorted(layout["configById"])


@pytest.mark.parametrize("name", ["controller.rviz", "foxglove_layout.json"])
def test_the_readme_says_how_to_open_it(name: str) -> None:
    assert name in (ROOT / "README.md").read_text(encoding="utf-8")
