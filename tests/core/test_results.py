"""Measured figures are written as they are, and a missed bar is a missed bar."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest

from dvf_ros.core import results
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


def test_what_was_not_measured_is_null_and_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    figures = {"never": float("nan"), "nested": {"list": [np.inf, np.float64(1.0)], "array": np.array([np.nan, 2.0])}}
    write_results(path, figures, [Bar("never", float("nan"), "<=", 1.0)], [])
    record = json.loads(path.read_text(), parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert record["figures"] == {"never": None, "nested": {"list": [None, 1.0], "array": [None, 2.0]}}
    found = Bar.of(record["bars"][0])
    assert np.isnan(found.value) and not found.holds


def test_what_is_no_figure_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="results hold numbers, texts and lists, not set"):
        write_results(tmp_path / "x.json", {"a": {1}}, [], [])


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


def test_a_copy_in_somebody_elses_repository_does_not_take_its_commit_for_its_own(tmp_path: Path) -> None:
    here = tmp_path / "dvf_ros" / "core"
    here.mkdir(parents=True)
    for name in ("results.py", "writing.py"):
        shutil.copy(Path(results.__file__).parent / name, here)
    git = ["git", "-C", str(tmp_path), "-c", "user.name=n", "-c", "user.email=e"]
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "theirs"]):
        subprocess.run([*git, *words], check=True)
    ask = [sys.executable, "-c", "from dvf_ros.core.results import commit; print(commit())"]

    def said() -> str:
        surroundings = os.environ | {"PYTHONPATH": str(tmp_path)}
        done = subprocess.run(ask, cwd=tmp_path, env=surroundings, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    assert said() == "unknown"
    subprocess.run([*git, "add", "dvf_ros"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "ours"], check=True)
    assert re.fullmatch("[0-9a-f]{40}", said())
