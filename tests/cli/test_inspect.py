"""`dvf inspect` on the command line: a table, warnings, and a picture."""

from __future__ import annotations

from pathlib import Path

import pytest

from dvf_ros.cli.main import main as dvf
from tests.data.bag_making import START, Bag, custom, joint_state, write_reach


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "220")


def test_table_metadata_and_warnings_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bag = write_reach(tmp_path / "bag", frames=60, skip=range(20, 40), about=custom("expert", "success"))
    assert dvf(["inspect", str(bag)]) == 0
    out = capsys.readouterr().out
    assert "bag: 220 messages of 4 topics in 5.9 s from 2023-11-14" in out
    (row,) = (line for line in out.splitlines() if line.strip().startswith("/joint_states"))
    assert row.split()[:4] == ["/joint_states", "sensor_msgs/msg/JointState", "bag", "60"]
    assert "3 to 3 ms before the log" in row and "state" in row
    assert "recorder: behavior = expert" in out and "recorder: spec = (" in out
    assert "! /tip: a gap, the longest 2.1 s" in out


def test_the_picture_is_drawn_where_it_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bag = write_reach(tmp_path / "bag", frames=60, skip=range(20, 40))
    picture = tmp_path / "new" / "bag.png"
    assert dvf(["inspect", str(bag), "--output", str(picture)]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert f"picture: {picture}" in capsys.readouterr().out.replace("\n", "")


def test_a_bags_name_is_drawn_as_it_is_written_and_not_as_a_formula(tmp_path: Path) -> None:
    bag = write_reach(tmp_path / r"a_$\frac$", frames=5)
    assert dvf(["inspect", str(bag), "--output", str(tmp_path / "bag.svg")]) == 0


def test_a_name_that_is_no_pictures_is_refused_before_anything_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bag = write_reach(tmp_path / "bag", frames=5)
    for name in ("bag.foo", "bag"):
        assert dvf(["inspect", str(bag), "--output", str(tmp_path / "new" / name)]) == 1
        said = capsys.readouterr()
        assert said.out == "" and "expected a picture's name, with one of .png, .pdf, .svg; found" in said.err
    assert not (tmp_path / "new").exists()
    assert dvf(["inspect", str(bag), "--output", str(tmp_path / "bag.SVG")]) == 0


def test_bags_with_many_or_no_topics_are_drawn(tmp_path: Path) -> None:
    with Bag(tmp_path / "empty"):
        pass
    with Bag(tmp_path / "many") as bag:
        for k in range(60):
            bag.put(f"/t{k}", joint_state(START, {"a": 0.0}), START)
    for name in ("empty", "many"):
        assert dvf(["inspect", str(tmp_path / name), "--output", str(tmp_path / f"{name}.png")]) == 0
        assert (tmp_path / f"{name}.png").exists()


def test_several_bags_or_none_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_reach(tmp_path / "bags" / "one")
    write_reach(tmp_path / "bags" / "two")
    assert dvf(["inspect", str(tmp_path / "bags")]) == 1
    assert "holds 2 bags; name one of them: 'one', 'two'" in capsys.readouterr().err
    assert dvf(["inspect", str(tmp_path / "nothing")]) == 1
    assert "is not there" in capsys.readouterr().err
    (tmp_path / "text.txt").write_text("no bag")
    assert dvf(["inspect", str(tmp_path / "text.txt")]) == 1
    assert "is no bag: expected a folder, .mcap, .db3" in capsys.readouterr().err
    (tmp_path / "bad.db3").write_bytes(b"SQLite format 3\0" + b"?" * 2000)
    assert dvf(["inspect", str(tmp_path / "bad.db3")]) == 1
    assert "cannot be read" in capsys.readouterr().err
