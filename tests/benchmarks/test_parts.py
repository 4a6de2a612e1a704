"""Files of several parts say of each how it was measured, and forget what is measured again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.parts import MEASURED, write_part
from dvf_ros.core.results import Bar

RESULTS = Path("benchmarks/results")


def test_a_part_leaves_what_others_have_written(tmp_path: Path) -> None:
    path = tmp_path / "both.json"
    assert write_part(path, "a", {"x": 1}, [Bar("first", 1.0, ">=", 0.5)], [0], "one")
    assert not write_part(path, "b", {"x": 2}, [Bar("second", 0.0, ">=", 0.5)], [7], "two")
    assert write_part(path, "a", {"x": 3}, [Bar("first", 2.0, ">=", 0.5)], [0], "one")
    found = json.loads(path.read_text())
    assert {name: part["x"] for name, part in found["figures"].items()} == {"a": 3, "b": 2}
    assert {bar["name"]: bar["holds"] for bar in found["bars"]} == {"first": True, "second": False}
    assert found["figures"]["b"][MEASURED]["seeds"] == [7] and found["figures"]["b"][MEASURED]["command"] == "two"


def test_a_bar_goes_with_the_part_that_it_was_of(tmp_path: Path) -> None:
    path = tmp_path / "both.json"
    write_part(path, "b", {}, [Bar("second", float("nan"), ">=", 0.5)], [0], "two")
    write_part(path, "a", {}, [Bar("as it was called", 1.0, ">=", 0.5)], [0], "one")
    write_part(path, "a", {}, [Bar("as it is called now", 0.0, ">=", 0.5)], [0], "one")
    bars = json.loads(path.read_text())["bars"]
    assert [(bar["name"], bar["value"], bar["holds"]) for bar in bars] == [
        ("second", None, False),
        ("as it is called now", 0.0, False),
    ]


@pytest.mark.parametrize("name", ["data", "faults", "latency", "zero_shot"])
def test_a_committed_file_of_parts_says_how_each_was_measured(name: str) -> None:
    record = json.loads((RESULTS / f"{name}.json").read_text())
    parts = [part[MEASURED] for part in record["figures"].values()]
    assert all(set(part) == {"command", "commit", "machine", "date", "seeds", "bars"} for part in parts)
    assert sorted(bar for part in parts for bar in part["bars"]) == sorted(bar["name"] for bar in record["bars"])
    assert record["commit"] in {part["commit"] for part in parts}
