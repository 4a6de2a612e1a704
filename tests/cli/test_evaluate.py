"""The comparison's statistics against closed forms, and one real episode with the shipped checkpoint."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dvf_ros.cli.closed_loop import run_episode
from dvf_ros.cli.evaluate import paired_interval
from dvf_ros.learning.checkpoint import load_checkpoint
from dvf_ros.sim.robosuite_sim import RobosuiteSim

SHIPPED = Path(__file__).parents[2] / "resource" / "panda_lift.yaml"


def test_the_interval_of_a_mean_is_about_two_standard_errors() -> None:
    differences = np.random.default_rng(0).normal(0.2, 1.0, 400)
    low, high = paired_interval(differences)
    error = differences.std() / np.sqrt(len(differences))
    assert (low, high) == pytest.approx(
        (differences.mean() - 1.96 * error, differences.mean() + 1.96 * error), abs=0.01
    )


def test_no_difference_has_no_interval() -> None:
    assert paired_interval(np.zeros(50)) == (0.0, 0.0)


@pytest.mark.slow
def test_an_episode_is_a_function_of_its_seed() -> None:
    agent = load_checkpoint(SHIPPED)
    sim = RobosuiteSim(agent.spec.task, agent.spec.rate)
    first, other, again = (run_episode(agent, sim, seed, steps=20) for seed in (5, 6, 5))
    assert (first.states == again.states).all()
    assert not (first.states == other.states).all()
