"""The frame of commands is that of the recorded commands, in the proposed spec as in what a conversion warns of."""

from __future__ import annotations

from pathlib import Path

import pytest

from dvf_ros.cli.main import main as dvf
from dvf_ros.core.spec import RobotSpec
from dvf_ros.data.conversion import convert
from dvf_ros.data.inspection import inspect_bag
from dvf_ros.data.spec_draft import draft_spec
from tests.data.bag_making import MS, START, Bag, custom, pose_stamped, twist, twist_stamped, write_reach

FRAMES = 40


def arm(folder: Path, command_frame: str) -> Path:
    """A tool's pose in `world` and its commands, 20 Hz; theirs say no frame where `command_frame` is empty."""
    with Bag(folder) as bag:
        for k in range(FRAMES):
            stamp = START + k * 50 * MS
            bag.put("/tcp_pose", pose_stamped(stamp, k / 10), stamp)
            bag.put("/cmd_twist", twist_stamped(stamp, 0.1, frame=command_frame), stamp)
    return folder


def warnings_of(bag: Path, frame: str) -> list[str]:
    """What a conversion by the proposed spec says, with `frame` in it."""
    text = draft_spec(inspect_bag(bag))
    (line,) = (line for line in text.splitlines() if line.startswith("frame: "))
    spec = RobotSpec.parse(text.replace(line, f"frame: {frame}"))
    return convert([bag], bag.parent / f"{bag.name} in {frame}", spec, jobs=1).bags[0].warnings


def test_the_proposed_frame_is_that_of_the_commands(tmp_path: Path) -> None:
    text = draft_spec(inspect_bag(arm(tmp_path / "bag", "tool0")))
    assert RobotSpec.parse(text).frame == "tool0"
    assert "frame: tool0 # of commands, check: /cmd_twist has it" in text


def test_commands_that_say_no_frame_are_proposed_in_that_of_the_state(tmp_path: Path) -> None:
    text = draft_spec(inspect_bag(arm(tmp_path / "unset", "")))
    assert "frame: world # of commands, check: /tcp_pose has it" in text
    with Bag(tmp_path / "bare") as bag:
        for k in range(FRAMES):
            stamp = START + k * 50 * MS
            bag.put("/tcp_pose", pose_stamped(stamp, k / 10), stamp)
            bag.put("/cmd_vel", twist((1, 0, 0), (0, 0, 0)), stamp)
    assert RobotSpec.parse(draft_spec(inspect_bag(tmp_path / "bare"))).frame == "world"


def test_commands_in_another_frame_than_the_specs_are_warned_of(tmp_path: Path) -> None:
    bag = arm(tmp_path / "bag", "tool0")
    (warning,) = warnings_of(bag, "world")
    assert warning.startswith("/cmd_twist: expected commands in the spec's frame 'world'")
    assert "found 'tool0'" in warning and "write the commands' frame into the spec" in warning
    assert warnings_of(bag, "tool0") == []
    assert warnings_of(arm(tmp_path / "unset", ""), "tool0") == []


def test_the_command_prints_the_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    spec = RobotSpec.parse(custom()["spec"].replace("task: reach", "task: reach\nframe: tool0"))
    bag = write_reach(tmp_path / "bag", about=custom(spec=spec))
    assert dvf(["convert", str(bag), str(tmp_path / "data"), "--jobs", "1"]) == 0
    assert "! bag: cmd: expected commands in the spec's frame 'tool0'" in capsys.readouterr().out
