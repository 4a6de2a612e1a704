"""The demo's launch file, whole: simulation, controller, recorder and runner come up, do their work and go."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import domain_coordinator
import pytest

from dvf_ros.cli.futures import Futures, main
from dvf_ros.data.bag_reader import BagReader

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


def test_the_launch_runs_its_episodes_and_ends(tmp_path: Path) -> None:
    result, bags, picture = tmp_path / "demo.json", tmp_path / "bags", tmp_path / "futures.png"
    words = [
        "ros2",
        "launch",
        "dvf_ros",
        "controller.launch.py",
        "sim:=true",
        "task:=lift",
        "episodes:=2",
        "record:=true",
    ]
    with domain_coordinator.domain_id() as domain:
        environment = os.environ | {"ROS_DOMAIN_ID": str(domain), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
        done = subprocess.run(
            [*words, f"output:={bags}", f"result:={result}"],
            env=environment, capture_output=True, text=True, timeout=240,
        )  # fmt: skip
        output = done.stdout + done.stderr
        assert result.exists(), output
        assert still_running(domain) == []
    record = json.loads(result.read_text())
    assert set(record["figures"]) >= FIGURES and record["figures"]["episodes"] == 2
    assert record["figures"]["decisions"] > 0
    # Whether both episodes succeed is the demo's business; that the status tells is this test's.
    assert done.returncode == (0 if all(bar["holds"] for bar in record["bars"]) else 1), output
    for number in (1, 2):
        assert f"episode {number}/2" in output
    assert "[command_gate]: closed until a command comes" in output

    (bag,) = bags.iterdir()
    with BagReader(bag) as reader:
        assert {"/joint_states", "/cmd_twist", "/gripper_command", "/outcome", "/controller/futures"} <= set(
            reader.types
        )
    assert main(Futures(bag, picture)) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
