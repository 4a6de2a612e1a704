"""What the value benchmark's figures rest on, against what is known of it in closed form."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.continued import Cell, discounted, outcome
from benchmarks.regressed_value import regress
from benchmarks.resumable import trained
from benchmarks.task_data import TASKS, require_episodes
from benchmarks.value import in_deviations
from benchmarks.value_agreement import agreement, interval, slope, spearman
from benchmarks.value_estimators import Held, Sampled
from dvf_ros.sim.behaviors import BEHAVIORS
from tests.learning.small import CONFIG, dataset


def test_a_return_is_that_of_a_mean_that_goes_on_for_ever() -> None:
    assert discounted(np.full((2, 30), 0.4), 0.9) == pytest.approx([4.0, 4.0])
    late = np.zeros(400)
    late[3] = 1.0
    assert discounted(late, 0.9) == pytest.approx(0.9**3)


def test_ranks_and_slope_of_what_is_known() -> None:
    rng = np.random.default_rng(0)
    predicted = rng.normal(size=20_000)
    found = 0.7 * predicted + rng.normal(size=20_000)
    assert slope(predicted, found) == pytest.approx(0.7, abs=0.03)
    assert spearman(predicted, np.exp(predicted)) == pytest.approx(1.0)
    assert spearman(predicted, np.zeros_like(predicted)) == 0.0


def test_an_interval_knows_that_states_of_one_episode_are_alike() -> None:
    rng = np.random.default_rng(0)
    episode = np.repeat(np.arange(25), 40)
    found = rng.normal(size=25)[episode]
    low, high = interval(lambda rows: float(found[rows].mean()), episode)
    assert 0.6 < high - low < 1.0, "2 × 1.96 / √25 = 0.78, forty times as many states or not"


def test_noise_of_the_truth_is_no_error_of_the_value() -> None:
    rng = np.random.default_rng(0)
    value = rng.normal(size=2000)
    figures = agreement(value, value + 0.5 * rng.normal(size=2000), np.arange(2000) // 100, noise=0.25)
    assert figures["squared_error"] == pytest.approx(0.0, abs=0.03)
    assert figures["bias"] == pytest.approx(0.0, abs=0.05)


def test_figures_of_several_trainings_are_their_mean() -> None:
    rng = np.random.default_rng(0)
    found, episode = rng.normal(size=300), np.arange(300) // 10
    trainings = found + rng.normal(size=(3, 300)) * np.array([[0.1], [0.2], [0.3]])
    figures = agreement(trainings, found, episode, noise=0.01)
    each = [agreement(one, found, episode, noise=0.01) for one in trainings]
    for name in ("spearman", "slope", "bias", "squared_error"):
        assert figures[f"{name}_by_training"] == pytest.approx([one[name] for one in each])
        assert figures[name] == pytest.approx(np.mean([one[name] for one in each]))
        low, high = figures[f"{name}_interval"]
        assert low < figures[name] < high


def test_error_bars_are_held_against_what_was_found() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(2, 4000)) * 2.0
    held = Held(
        states=np.zeros((4000, 1)),
        actions=np.zeros((4000, 1)),
        behavior=np.zeros(4000, int),
        episode=np.arange(4000),
        logged=np.zeros(4000),
        restored=np.arange(4000),
        continued=rng.normal(size=4000),
        noise=1.0,
    )
    found = in_deviations([Sampled(one, np.full(4000, 1.0)) for one in values], held)
    assert found["of one training"] == pytest.approx(np.sqrt((4.0 + 1.0) / (1.0 + 1.0)), rel=0.05)
    exact = in_deviations([Sampled(one, np.full(4000, 2.0)) for one in values], held)
    assert exact["of one training"] == pytest.approx(1.0, rel=0.05)


def test_a_regressed_value_is_in_units_of_the_reward() -> None:
    data = dataset()
    states = torch.from_numpy(np.array(data.states))
    model = regress(data, states, np.full(data.frames, 0.3), 0.9, 0.0, updates=5)
    assert model(states).numpy() == pytest.approx(0.3, abs=1e-3)


def test_an_agent_is_trained_once(tmp_path: Path) -> None:
    first = trained(dataset(), CONFIG, tmp_path / "agent.yaml")
    again = trained(dataset(), CONFIG, tmp_path / "agent.yaml")
    for name, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name
    assert {path.name for path in tmp_path.iterdir()} == {"agent.yaml", "agent.safetensors"}


def test_an_agent_of_other_settings_or_data_is_not_taken_for_the_one_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "agent.yaml"
    trained(dataset(), CONFIG, path)
    longer = replace(CONFIG, training=replace(CONFIG.training, updates=CONFIG.training.updates + 1))
    with pytest.raises(ValueError, match=r"agent\.yaml': expected an agent of the settings .* remove it"):
        trained(dataset(), longer, path)
    other = dataset(episodes=4)
    with pytest.raises(ValueError, match=r"agent\.yaml': expected an agent of the dataset .* remove it"):
        trained(other, CONFIG, path)


def test_another_number_of_episodes_is_not_taken_for_the_one_that_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"expected 7 episodes, found {dataset().episodes}; remove it"):
        require_episodes(dataset(), 7, tmp_path)


@pytest.mark.slow
def test_runs_from_a_restored_state_start_there_and_differ_in_their_luck() -> None:
    pytest.importorskip("robosuite")
    cell = Cell(BEHAVIORS["expert"], seed=7, steps=60, tail=60, runs=3, discount=0.97)
    found = outcome(TASKS["lift"].spec, cell)
    assert len(found.states) == len(found.actions) == len(found.logged) == 12
    assert found.restored.tolist() == [1, 7] and found.continued.shape == (2, 3)
    assert len(set(found.continued[0])) == 3
    again = outcome(TASKS["lift"].spec, cell)
    np.testing.assert_array_equal(found.continued, again.continued)
