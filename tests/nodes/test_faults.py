"""The short form of `make bench-faults`: what must happen happens; how soon is measured there, not here."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from benchmarks.faults.hostile import run_messages, run_parameters, run_specs
from benchmarks.faults.lifecycle import run_lifecycle
from benchmarks.faults.matrix import run_matrix
from benchmarks.faults.processes import run_deaths
from benchmarks.faults.resumes import A_PERIOD_DEGREES, run_resumes
from benchmarks.faults.rig import small_checkpoint

pytestmark = [pytest.mark.ros, pytest.mark.slow, pytest.mark.timeout(300)]

KINDS = (
    "joint_states silent",
    "one joint missing",
    "header frozen",
    "one joint repeats",
    "stamps -10 s",
    "action NaN",
    "score Inf",
    "action shape",
    "model raises",
    "model hangs",
)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_checkpoint(tmp_path_factory.mktemp("agent"))


def test_every_fault_stops_the_robot_says_why_and_is_left_from_the_measured_pose(
    checkpoint: Path, tmp_path: Path
) -> None:
    for trial in run_matrix(checkpoint, tmp_path, KINDS, repeats=1):
        assert math.isfinite(trial.stopped) and math.isfinite(trial.told), trial
        assert trial.unsafe == 0 and trial.resumed_unasked == 0 and trial.degrees <= 1.0, trial


def test_a_process_that_dies_or_hangs_is_stopped_and_its_successor_starts_where_the_robot_is(
    checkpoint: Path, tmp_path: Path
) -> None:
    for ending in run_deaths(checkpoint, tmp_path, repeats=1):
        assert math.isfinite(ending.stopped) and ending.degrees <= 1.0, ending


def test_a_robot_that_was_moved_by_hand_while_it_was_stopped_goes_on_from_there(
    checkpoint: Path, tmp_path: Path
) -> None:
    for resumption in run_resumes(checkpoint, tmp_path, repeats=1):
        assert resumption.degrees <= 1.0 and resumption.moving_degrees <= A_PERIOD_DEGREES, resumption


def test_going_round_the_lifecycle_keeps_nothing(checkpoint: Path, tmp_path: Path) -> None:
    before, after = run_lifecycle(checkpoint, tmp_path, cycles=3)
    assert (after.threads, after.files, after.entities) == (before.threads, before.files, before.entities)
    assert after.memory - before.memory < 20


def test_hostile_specs_and_parameters_are_refused_with_a_reason() -> None:
    refused, taken = run_specs(100)
    assert refused > 0 and taken > 0 and run_parameters(50) > 0


def test_hostile_messages_move_nothing(checkpoint: Path, tmp_path: Path) -> None:
    assert run_messages(checkpoint, tmp_path, 40) > 0
