"""Measured figures are written as they are, and a missed bar is a missed bar."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest

from dvf_ros.core.results import Bar, wilson_interval, write_results


def test_the_format(tmp_path: Path) -> None:
    holds = write_results(
        tmp_path / "new" / "demo.json",
        {"success_rate": np.float32(0.5), "list": np.arange(2)},
        [Bar("rate", 0.5, ">=", 0.5)],
        [1, 2],
    )
    record = json.loads((tmp_path / "new" / "demo.json").read_text())
    assert holds
    assert list(record) == ["name", "command", "commit", "machine", "date", "seeds", "figures", "bars"]
    assert record["name"] == "demo" and record["seeds"] == [1, 2]
    assert record["figures"] == {"success_rate": 0.5, "list": [0, 1]}
    assert record["bars"] == [{"name": "rate", "value": 0.5, "op": ">=", "bar": 0.5, "holds": True}]


@pytest.mark.parametrize(("value", "op", "bar", "holds"), [
    (0.9, ">=", 0.9, True), (0.89, ">=", 0.9, False), (1.0, "<", 1.0, False), (float("nan"), "<=", 1.0, False),
])  # fmt: skip
def test_a_bar(value: float, op: str, bar: float, holds: bool, tmp_path: Path) -> None:
    assert Bar("x", value, op, bar).holds is holds
    assert write_results(tmp_path / "x.json", {}, [Bar("x", value, op, bar)], []) is holds


@pytest.mark.parametrize(("successes", "trials"), [(0, 10), (9, 10), (10, 10), (47, 50)])
def test_the_interval_is_wilsons(successes: int, trials: int) -> None:
    expected = binomtest(successes, trials).proportion_ci(0.95, method="wilson")
    assert wilson_interval(successes, trials) == pytest.approx((expected.low, expected.high), abs=1e-4)
