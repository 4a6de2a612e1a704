"""What `dvf convert` prints of many bags: each kind of warning once, with how many bags it is about."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from dvf_ros.cli.convert import summarize
from dvf_ros.cli.main import main as dvf
from dvf_ros.data.report import BagReport, Report
from tests.data.bag_making import MS, START, Bag, custom, joint_state, pose_stamped, twist_stamped, write_reach

SIMULATED = "joint_states: header stamps are simulated time; rate and ages count in it"


def lines(*bags: BagReport, width: int = 400) -> list[str]:
    """The summary."""
    out = StringIO()
    summarize(Report("", bags), Path("data"), Console(file=out, width=width))
    return out.getvalue().splitlines()


def printed(*bags: BagReport) -> list[str]:
    """The warnings that the summary prints."""
    return [line[2:] for line in lines(*bags) if line.startswith("! ")]


def bag(name: str, *warnings: str) -> BagReport:
    return BagReport(name, status="converted", warnings=list(warnings))


def test_a_warning_of_many_bags_is_one_line_and_those_of_most_bags_come_first() -> None:
    bags = [bag(f"bag{k:03}", SIMULATED) for k in range(400)]
    bags[7].warnings.insert(0, "'arm' reaches 90, and its unit is rad: are these degrees?")
    for k in (300, 301):  # far behind the bags that are listed one by one
        bags[k].warnings.insert(0, "clocks disagree")
    assert printed(*bags) == [
        f"400 bags, such as bag000: {SIMULATED}",
        "2 bags, such as bag300: clocks disagree",
        "bag007: 'arm' reaches 90, and its unit is rad: are these degrees?",
    ]


def test_warnings_that_differ_in_numbers_only_are_one_kind_but_not_those_of_other_topics() -> None:
    words = "stamps repeat the one before; the later message counts"
    far = "'arm' becomes 57.3 times larger within an episode, 2.500 s from its start at 1700000000000000000: has its"
    assert printed(
        bag("a", f"/robot1/pose: 3 {words}", far),
        bag("b", f"/robot1/pose: 12 {words}", f"/robot2/pose: 12 {words}"),
        bag("c", f"/robot1/pose: 1 {words}", far.replace("2.500", "1e-05").replace("57.3", "1000")),
    ) == [
        f"3 bags, such as a: /robot1/pose: 3 {words}",
        f"2 bags, such as a: {far}",
        f"b: /robot2/pose: 12 {words}",
    ]


def test_a_bag_that_has_a_kind_of_warning_twice_counts_once() -> None:
    assert printed(bag("a", "1 stamps repeat", "2 stamps repeat")) == ["a: 1 stamps repeat"]


def test_kinds_of_warning_that_are_too_many_are_counted() -> None:
    said = printed(bag("a", *(f"topic_{letter}: odd" for letter in "abcdefghijklmnopqrstuvwxyz")))
    assert len(said) == 21 and said[-1] == "… and 6 more kinds of warning"


def behaviors(width: int, *names: str) -> str:
    """The line about the behaviors of bags of one episode each."""
    bags = [BagReport(f"bag{k}", status="converted", behavior=name, kept=[{}]) for k, name in enumerate(names)]
    (line,) = (line for line in lines(*bags, width=width) if line.startswith("episodes by behavior: "))
    return line.removeprefix("episodes by behavior: ")


def test_behaviors_are_counted_by_episodes_on_one_line() -> None:
    assert behaviors(80, "novice", "expert", "", "expert") == "expert (2), novice (1), not named (1)"
    many = [f"b{k:02}" for k in range(30)]
    assert behaviors(59, *many) == "b00 (1), b01 (1), … and 28 more"
    assert behaviors(400, *many).endswith("b29 (1)")
    for width in range(50, 100):
        assert len(behaviors(width, *many)) + len("episodes by behavior: ") <= width
    assert behaviors(60, "x[/b]" * 20).endswith("x[/b]x[…")


@pytest.mark.parametrize(
    ("topic", "hint"), [("/cmd_vel", "did you mean '/cmd_vel'?"), ("/stop", "known: /joint_states, /stop, /tip")]
)
def test_an_action_topic_without_a_message_in_any_bag_is_told_once(
    tmp_path: Path, topic: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for k, name in enumerate(("one", "two")):
        write_still(tmp_path / "bags" / name, 20 + k, topic)
    words = ["convert", str(tmp_path / "bags"), str(tmp_path / "data"), "--jobs", "1"]
    for _ in range(2):  # also where nothing is to do
        assert dvf(words) == 0
        said = " ".join(capsys.readouterr().out.split())
        assert said.count("action topic") == 1 and f"! no message on the action topic 'cmd' in any bag; {hint}" in said
    write_reach(tmp_path / "bags" / "three")  # a bag without actions beside others is nothing odd
    assert dvf(words) == 0
    assert "action topic" not in capsys.readouterr().out


def write_still(folder: Path, frames: int, topic: str) -> None:
    """Frames of SPEC, and commands on a topic that is not the spec's."""
    with Bag(folder, custom()) as written:
        for k in range(frames):
            stamp = START + k * 100 * MS
            written.put("/joint_states", joint_state(stamp, {"a": k, "b": -k}), stamp)
            written.put("/tip", pose_stamped(stamp, k), stamp)
            written.put(topic, twist_stamped(stamp, k), stamp)


def test_the_command_prints_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    for name in ("one", "two", "three"):
        with Bag(tmp_path / "bags" / name, custom()) as written:
            for k in range(10 + len(name) + (name == "two")):
                stamp, received = (k + 1) * 100 * MS, START + k * 100 * MS
                written.put("/joint_states", joint_state(stamp, {"a": k, "b": -k}), received)
                written.put("/tip", pose_stamped(stamp, k), received)
    assert dvf(["convert", str(tmp_path / "bags"), str(tmp_path / "data"), "--jobs", "1"]) == 0
    out = capsys.readouterr().out
    assert f"! 3 bags, such as one: {SIMULATED}" in out and out.count("simulated time") == 2
