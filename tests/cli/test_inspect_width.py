"""`dvf inspect` on a narrow terminal: no name of a topic is broken, and nothing of the table is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from dvf_ros.cli.main import main as dvf
from tests.data.bag_making import MS, START, Bag, pose_stamped, twist

TOPICS = (
    "/turtle1/pose",
    "/odom_noisy",
    "/vicon/Group466CF/Group466CF/pose",
    "/a/very/long/namespace/of/a/robot/that/has/many/parts/pose",
)


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("narrow") / "bag"
    with Bag(folder) as written:
        for k in range(60):
            stamp = START + k * 50 * MS
            for topic in TOPICS:
                written.put(topic, pose_stamped(stamp, k), stamp)
            written.put("/turtle1/cmd_vel", twist((1, 0, 0), (0, 0, 0)), stamp)
    return folder


@pytest.mark.parametrize("width", [60, 80, 100, 120, 160, 200])
def test_no_name_or_type_is_broken(
    bag: Path, width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    assert dvf(["inspect", str(bag)]) == 0
    out = capsys.readouterr().out
    words = out.split()
    assert {*TOPICS, "/turtle1/cmd_vel"} <= set(words)
    assert sum(word.startswith("geometry_msgs/msg/PoseStamped") for word in words) == len(TOPICS)
    assert max(map(len, out.splitlines())) <= width


def test_what_the_table_says_is_listed_where_it_does_not_fit(
    bag: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert dvf(["inspect", str(bag)]) == 0
    lines = capsys.readouterr().out.splitlines()
    place = lines.index("/turtle1/cmd_vel  geometry_msgs/msg/Twist")
    said = " ".join(" ".join(lines[place + 1 :]).split())
    assert said == (
        "definition: bag; messages: 60; rate Hz: 20.0; jitter ms: 0.0; longest silence s: 0.05; gaps: 0; "
        "header's clock: no header; could be: action 'cmd' in its name"
    )


def test_the_table_is_whole_or_there_is_none(
    bag: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tables = []
    for width in range(120, 260, 10):
        monkeypatch.setenv("COLUMNS", str(width))
        assert dvf(["inspect", str(bag)]) == 0
        out = capsys.readouterr().out
        assert "…" not in out and " ".join(out.split()).count("action 'cmd' in its name") == 1
        tables.append("definition  messages" in out)
        assert ("could be" in out.splitlines()[1]) == tables[-1]
    assert tables == sorted(tables) and {*tables} == {False, True}


def test_a_name_that_is_longer_than_the_terminal_is_left_whole(
    bag: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    assert dvf(["inspect", str(bag)]) == 0
    assert set(TOPICS) <= set(capsys.readouterr().out.split())
