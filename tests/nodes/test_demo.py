"""The demo's launch file, whole: simulation, controller, recorder and runner come up, do their work and go."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from dvf_ros.cli.futures import Futures, main
from dvf_ros.data.bag_reader import BagReader
from tests.nodes.harness import own_domain

pytestmark = [pytest.mark.ros, pytest.mark.timeout(300)]

FIGURES = {
    "episodes", "success_rate", "success_low", "success_high",
    "tick_p50_ms", "tick_p99_ms", "deadline_misses", "decisions",
}  # fmt: skip


def still_running(domain: int) -> list[str]:
    """Processes that carry this domain's number in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"ROS_DOMAIN_ID={domain}\0".encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except (OSError, ProcessLookupError):
            continue  # it ended while we looked, or is not ours
    return found


def launched(result: Path, *arguments: str) -> tuple[dict[str, Any], str]:
    """The figures and the output of a run that left nothing behind and told by its status whether its bars hold."""
    words = ["ros2", "launch", "dvf_ros", "controller.launch.py", "sim:=true", f"result:={result}", *arguments]
    with own_domain() as domain:
        environment = os.environ | {"ROS_DOMAIN_ID": str(domain), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
        done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=240)
        output = done.stdout + done.stderr
        assert result.exists(), output
        assert still_running(domain) == []
    record = json.loads(result.read_text())
    # Whether it succeeds is the demo's business; that the status tells is this test's.
    assert done.returncode == (0 if all(bar["holds"] for bar in record["bars"]) else 1), output
    return record["figures"], output


def test_play_is_given_goals_in_turn_and_ends(tmp_path: Path) -> None:
    figures, output = launched(tmp_path / "demo.json", "task:=play", "episodes:=1")
    assert len(figures["reached_by_goal"]) == 3 and figures["rounds"] == 1 and figures["decisions"] > 0
    for number, reward in enumerate(figures["goals"], 1):
        assert f"round 1/1 goal {number}: " in output
        assert f"reward set: the number {reward}" in output


def test_the_launch_runs_its_episodes_and_ends(tmp_path: Path) -> None:
    bags, picture = tmp_path / "bags", tmp_path / "futures.png"
    figures, output = launched(tmp_path / "demo.json", "task:=lift", "episodes:=2", "record:=true", f"output:={bags}")
    assert set(figures) >= FIGURES and figures["episodes"] == 2
    assert figures["decisions"] > 0
    for number in (1, 2):
        assert f"episode {number}/2" in output
    assert "realtime, seed 5000" in output, "no episode of the training, whatever seed the simulation begins with"
    assert "[command_gate]: closed until a command comes" in output

    (bag,) = bags.iterdir()
    with BagReader(bag) as reader:
        assert {"/joint_states", "/cmd_twist", "/gripper_command", "/outcome", "/controller/futures"} <= set(
            reader.types
        )
    assert main(Futures(bag, picture)) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
