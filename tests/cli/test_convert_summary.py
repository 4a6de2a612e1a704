"""What `dvf convert` prints of many bags: each kind of warning once, with how many bags it is about."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from dvf_ros.cli.convert import summarize
from dvf_ros.cli.main import main as dvf
from dvf_ros.data.report import BagReport, Report
from tests.data.bag_making import MS, START, Bag, custom, joint_state, pose_stamped

SIMULATED = "joint_states: header stamps are simulated time; rate and ages count in it"


def printed(*bags: BagReport) -> list[str]:
    """The warnings that the summary prints."""
    out = StringIO()
    summarize(Report("", bags), Path("data"), Console(file=out, width=400))
    return [line[2:] for line in out.getvalue().splitlines() if line.startswith("! ")]


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
