"""The comparison of controllers: cells go on where they were cut, and figures say what the cells do."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from benchmarks.control.__main__ import LEARNERS, QUICK, Control, _bars, _write, jobs_of, main
from benchmarks.control.cells import Cells, add_cell, current, left, missing, plain, read_cells
from benchmarks.control.controllers import ABLATIONS, DVF, LIBRARIES, OWN, PRIORS, SIX_STEPS
from benchmarks.control.figures import bars_of_control, bars_of_scarcity, complete, paired_gain, success
from benchmarks.control.learning import Cell, Job
from benchmarks.intervals import interquartile_mean_of, mean_of
from dvf_ros.core.results import write_results
from dvf_ros.learning.config import LearningConfig, TrainingConfig

RESULTS = Path("benchmarks/results")
JOB = Job(DVF, "data", "lift", 0, LearningConfig(), 1.0, 1, Path(), Path(), 0, 4, 1, OWN)


def cell(last: str) -> Cell:
    return Cell(ever="1" * len(last), last=last, seconds=1.0, updates=2, setting=JOB.setting, commit="c")


def cells(**last: str) -> Cells:
    """One task, one seed."""
    found: Cells = {}
    for name, digits in last.items():
        add_cell(found, "lift", name, 0, cell(digits))
    return found


def test_cells_of_a_result_file_are_found_again(tmp_path: Path) -> None:
    written = cells(dvf="1101", bc="0001")
    path = tmp_path / "control.json"
    write_results(path, {"cells": plain(written)}, [], [])
    assert read_cells(path) == written
    assert read_cells(tmp_path / "other.json") == {}


def test_only_what_is_not_there_is_missing() -> None:
    there = cells(dvf="1101")
    assert missing(JOB, there) == tuple(name for name in OWN if name != DVF)
    assert missing(replace(JOB, seed=1), there) == OWN
    assert missing(replace(JOB, task="stack"), there) == OWN
    assert current(there, [JOB]) == there


def test_a_cell_counts_for_the_settings_it_was_measured_under() -> None:
    there = cells(dvf="1101", bc="0001")
    slower = replace(JOB, config=LearningConfig(TrainingConfig(learning_rate=1e-3)))
    assert DVF in missing(slower, there) and current(there, [slower]) == {}
    assert replace(JOB, seed=1, task="can").setting == JOB.setting
    library = replace(JOB, learner="bc", controllers=("bc",))
    assert replace(slower, learner="bc").setting == library.setting, "what the agent does is nothing to a library"
    assert replace(library, seconds=2.0).setting != library.setting
    seeing = replace(JOB.config, training=replace(JOB.config.training, relative_positions=True))
    assert replace(library, config=seeing).setting != library.setting, "it sees what the agent sees"
    taught = replace(library, learns_from_agent=True)
    assert replace(taught, config=slower.config).setting != taught.setting


@pytest.mark.parametrize("labels", ["full", "scarce"])
def test_cells_that_were_committed_still_count(labels: Literal["full", "scarce"]) -> None:
    """A setting that came later, and is off, leaves them what they are."""
    args = Control(labels=labels, results=RESULTS)
    there = read_cells(args.path)
    assert there and left(jobs_of(args), LEARNERS, there) == []


@pytest.mark.parametrize("args", [QUICK, Control(tasks=("lift",), episodes=49), Control(seeds=(7,))])
def test_other_settings_tasks_and_seeds_cost_no_cell_that_was_measured(tmp_path: Path, args: Control) -> None:
    shutil.copy(RESULTS / "control.json", tmp_path)
    args = replace(args, results=tmp_path)
    _write(args, jobs_of(args), [])
    assert read_cells(tmp_path / "control.json") == read_cells(RESULTS / "control.json")


@pytest.mark.parametrize("labels", ["full", "scarce"])
def test_the_short_form_has_a_file_of_its_own(labels: Literal["full", "scarce"]) -> None:
    assert replace(QUICK, labels=labels).path not in {Control().path, Control(labels="scarce").path}


@pytest.mark.parametrize("labels", ["full", "scarce"])
def test_committed_figures_are_those_of_the_committed_cells(labels: Literal["full", "scarce"]) -> None:
    args = Control(labels=labels, results=RESULTS)
    figures, there = json.loads(args.path.read_text())["figures"], read_cells(args.path)
    assert figures["last"] == success(there, "last") and figures["ever"] == success(there, "ever")
    statistics = {"paired_gain": mean_of, "paired_gain_of_interquartile_mean": interquartile_mean_of}
    for name, statistic in statistics.items():
        gains = {other: paired_gain(there, args.tasks, args.seeds, other, statistic) for other in figures[name]}
        assert len(gains) >= 6 and figures[name] == {other: pytest.approx(gain) for other, gain in gains.items()}


def test_an_agent_is_trained_for_the_libraries_that_learn_from_it() -> None:
    """Its cells may be there and its checkpoint not, as in a clone of the repository."""
    agent = replace(JOB, controllers=(DVF,))
    library = replace(JOB, learner="bc", controllers=("bc",))
    taught = replace(library, learns_from_agent=True)
    there = cells(dvf="1101")
    nothing = replace(agent, controllers=())
    assert left([agent, library], (DVF, "bc"), there) == [library]
    assert left([agent, taught], (DVF, "bc"), there) == [nothing, taught]
    assert left([agent, taught], ("bc",), there) == [nothing, taught]
    assert left([agent, replace(taught, seed=1)], ("bc",), there) == [replace(taught, seed=1)]
    assert left([agent, taught], (DVF,), {}) == [agent]


def test_success_is_over_the_episodes_of_all_seeds() -> None:
    there = cells(dvf="1101")
    add_cell(there, "lift", DVF, 1, cell("0000"))
    assert success(there, "last") == {DVF: {"lift": 3 / 8}}
    assert success(there, "ever") == {DVF: {"lift": 1.0}}
    np.testing.assert_array_equal(complete(there, ["lift"], [0, 1], [DVF, "bc"])[DVF], [[0.75], [0.0]])
    assert complete(there, ["lift", "stack"], [0], [DVF]) == {}


def test_a_gain_is_paired_by_episode() -> None:
    better, other = "1" * 30 + "0" * 20, "1" * 20 + "0" * 30
    gain = paired_gain(cells(dvf=better, bc=other), ["lift"], [0], "bc")
    assert gain["gain"] == pytest.approx(0.2)
    # The binomial standard error of 10 differing pairs among 50.
    assert gain["high"] - gain["low"] == pytest.approx(2 * 1.96 * np.sqrt(0.2 * 0.8 / 50), rel=0.15)
    same = paired_gain(cells(dvf=better, bc=better), ["lift"], [0], "bc")
    assert same == {"gain": 0.0, "low": 0.0, "high": 0.0}


def figures(own: float, rival: float, ablation: float, six_steps: float = 0.0) -> dict[str, object]:
    means = {DVF: own, SIX_STEPS: six_steps, **dict.fromkeys(ABLATIONS, ablation)}
    means |= dict.fromkeys((*PRIORS, *LIBRARIES), rival)
    return {
        "missing": [],
        "interquartile_mean": {name: {"mean": m, "low": m - 0.05, "high": m + 0.05} for name, m in means.items()},
        "paired_gain_of_interquartile_mean": {name: {"low": own - mean - 0.1} for name, mean in means.items()},
        "training_seconds": dict.fromkeys(means, 300.0),
        "last": {name: {"lift": mean, "stack": mean} for name, mean in means.items()},
    }


def test_bars_hold_and_fail_where_they_should() -> None:
    def held(*means: float) -> list[bool]:
        return [bar.holds for bar in bars_of_control(figures(*means))]

    assert held(0.96, 0.8, 0.9) == [True] * 7
    assert held(0.96, 0.88, 0.97) == [True, False, False, False, True, True, True]
    assert held(0.96, 0.8, 0.9, 0.97) == [True, True, True, True, False, True, True]
    full = {"lift": 0.9, "stack": 0.9}
    assert [bar.holds for bar in bars_of_scarcity(figures(0.82, 0.5, 0.5), full)] == [True, True]
    assert [bar.holds for bar in bars_of_scarcity(figures(0.8, 0.6, 0.5), full)] == [False, False]


def test_scarce_labels_are_held_against_the_committed_success_of_the_same_settings(tmp_path: Path) -> None:
    committed = json.loads((RESULTS / "scarce.json").read_text())
    bars = _bars(Control(labels="scarce", results=tmp_path), committed["figures"])
    assert [asdict(bar) | {"holds": bar.holds} for bar in bars] == committed["bars"] and len(bars) == 2


@pytest.mark.parametrize("args", [Control(), Control(labels="scarce", first_episode=7), Control(labels="scarce")])
def test_without_cells_no_bar_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str], args: Control) -> None:
    assert main(replace(args, results=tmp_path, learners=())) == 1
    assert "no bar is held before these are measured: dvf, " in capsys.readouterr().err
    written = json.loads(replace(args, results=tmp_path).path.read_text())
    assert written["bars"] == []
