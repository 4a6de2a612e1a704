"""The comparison's statistics against closed forms, and one real episode with the shipped checkpoint."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from dvf_ros.cli import evaluate
from dvf_ros.cli.closed_loop import EpisodeOutcome, run_episode
from dvf_ros.cli.console import Console
from dvf_ros.cli.evaluate import Controller, Evaluate, main, paired_interval
from dvf_ros.cli.main import main as dvf
from dvf_ros.core.spec import RobotSpec
from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.checkpoint import load_checkpoint, save_checkpoint
from dvf_ros.sim.robosuite_sim import RobosuiteSim
from tests.learning.small import CONFIG

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "resource" / "panda_lift.yaml"


def test_the_interval_of_a_mean_is_about_two_standard_errors() -> None:
    differences = np.random.default_rng(0).normal(0.2, 1.0, 400)
    low, high = paired_interval(differences)
    error = differences.std() / np.sqrt(len(differences))
    assert (low, high) == pytest.approx(
        (differences.mean() - 1.96 * error, differences.mean() + 1.96 * error), abs=0.01
    )


def test_differences_that_are_all_the_same_are_no_certainty() -> None:
    low, high = paired_interval(np.zeros(50))
    assert low == pytest.approx(-0.071, abs=1e-3) and high == -low  # Wilson: up to 0.071 of all pairs may differ
    low, high = paired_interval(np.ones(50))
    assert low == pytest.approx(1 - 2 * 0.071, abs=1e-3) and high == 1.0
    assert paired_interval(-np.ones(50)) == (-high, -low)


def test_a_few_pairs_are_no_clear_gain() -> None:
    assert paired_interval(np.ones(1)) == paired_interval(np.zeros(1)) == (-1.0, 1.0)
    assert all(paired_interval(np.ones(count))[0] < 0.0 for count in (2, 3))
    assert paired_interval(np.ones(10))[0] > 0.0


def played(controller: Controller, seeds: range, args: Evaluate, console: Console) -> Iterator[EpisodeOutcome]:
    """Success by all, but for what cannot run: as the real episodes do, it configures the agent."""
    evaluate._prepare(controller)
    return (EpisodeOutcome(seed, True, True, np.zeros((1, 30)), np.ones(1, bool)) for seed in seeds)


@pytest.mark.parametrize("learned", [True, False])
def test_an_actor_is_compared_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, learned: bool
) -> None:
    agent = DvfAgent(RobotSpec.load(ROOT / "config" / "panda_lift.yaml"), ("a",), 10, CONFIG.training, CONFIG.decision)
    agent.distilled.fill_(learned)
    save_checkpoint(agent, tmp_path / "lift_0.97", "", "")
    monkeypatch.setattr(evaluate, "_run", played)
    monkeypatch.setattr(evaluate, "RobosuiteSim", lambda task, rate: None)
    main(Evaluate((tmp_path / "lift_0.97",), episodes=3, result=tmp_path / "evaluate.json"))
    figures = json.loads((tmp_path / "evaluate.json").read_text())["figures"]
    name = str(tmp_path / "lift_0.97")
    assert {f"{name}: prior alone", f"{name}: prior alone at temperature 1", name} <= set(figures)
    assert (f"{name}: actor" in figures) == ("gain over actor" in figures) == learned


def test_a_task_without_success_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    path = ROOT / "resource" / "panda_play.yaml"
    assert dvf(["evaluate", str(path)]) == 1
    said = capsys.readouterr().err
    assert "one of the tasks can, lift, stack" in said and "found the task 'play', which knows no success" in said
    assert f"dvf report {path} DATASET" in said


@pytest.mark.slow
def test_an_episode_is_a_function_of_its_seed() -> None:
    agent = load_checkpoint(SHIPPED)
    sim = RobosuiteSim(agent.spec.task, agent.spec.rate)
    first, other, again = (run_episode(agent, sim, seed, steps=20) for seed in (5, 6, 5))
    assert (first.states == again.states).all()
    assert not (first.states == other.states).all()
