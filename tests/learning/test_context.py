"""A controller that was in no training data is valued from its motion alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import kendalltau

from dvf_ros.core.parsing import ConfigError
from dvf_ros.data.dataset import Dataset
from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.config import DecisionConfig, LearningConfig, TrainingConfig
from dvf_ros.learning.context import ENOUGH, TRAITS, MotionEncoder, MotionSampler
from dvf_ros.learning.driver import driver_by_motion, driver_by_name
from dvf_ros.learning.report.values import value_states
from dvf_ros.learning.training import train
from tests.learning.small import CONFIG, dataset
from tests.learning.systems import Drift

SYSTEM = Drift()
GAINS = np.geomspace(0.03, 0.3, 24)
UNSEEN = np.sqrt(GAINS[1:-1:4] * GAINS[2::4])  # halfway between two that were seen
STARTS = np.array([[-1.2], [0.8], [1.5]])


def sampler(data: Dataset) -> tuple[MotionSampler, MotionEncoder, torch.Tensor]:
    states, encoder = torch.from_numpy(np.array(data.states)), MotionEncoder(1, 16)
    encoder.fit(states, data)
    return MotionSampler(data, states, encoder), encoder, states


def test_a_controller_is_known_by_others_of_its_episodes_or_not_at_all() -> None:
    data = SYSTEM.dataset(GAINS[:5], 2, seed=0)
    motions, encoder, states = sampler(data)
    frame = np.arange(data.frames)
    episode = np.repeat(np.arange(data.episodes), data.episode_length)
    whole = []  # what each episode says by itself
    for index in range(data.episodes):
        path = states[data.frames_of(index)]
        whole.append(encoder.signs(path[:-1], path[1:]).mean(dim=0).numpy())
    seen = np.zeros(data.frames)
    for seed in range(20):
        found = motions.draw(np.random.default_rng(seed), frame)
        rows = found.count == SYSTEM.limit
        other = [
            np.flatnonzero((data.behavior == data.behavior[e]) & (np.arange(data.episodes) != e))[0] for e in episode
        ]
        np.testing.assert_allclose(found.traits[rows], np.array(whole)[other][rows], atol=1e-3)
        seen += rows
    assert (seen > 0).all(), "every row is told who drives at some time"


def test_a_behavior_of_one_episode_is_never_known() -> None:
    motions, _, _ = sampler(SYSTEM.dataset(GAINS[:3], 1, seed=0))
    assert motions.draw(np.random.default_rng(0), np.array([0, 50, 100])).count.sum() == 0


def test_of_many_episodes_all_are_shown_half_of_the_time_and_the_own_one_is_left_out_otherwise() -> None:
    data = SYSTEM.dataset(GAINS[:1], ENOUGH, seed=0)
    motions, encoder, states = sampler(data)
    paths = [states[data.frames_of(index)] for index in range(ENOUGH)]
    each = np.array([encoder.signs(path[:-1], path[1:]).mean(dim=0).numpy() for path in paths])
    most = 0
    for seed in range(100):
        found = motions.draw(np.random.default_rng(seed), data.episode_start)
        all_shown = found.count == ENOUGH * SYSTEM.limit
        assert all_shown.all() or not all_shown.any()
        most += all_shown.all()
        if all_shown.all():
            np.testing.assert_allclose(found.traits, np.tile(each.mean(axis=0), (ENOUGH, 1)), atol=1e-3)
        elif (found.count == (ENOUGH - 1) * SYSTEM.limit).all():
            np.testing.assert_allclose(found.traits, (each.sum(axis=0) - each) / (ENOUGH - 1), atol=1e-3)
    assert 35 <= most <= 65


def test_the_fewer_transitions_the_closer_to_the_average_controller() -> None:
    _, encoder, _ = sampler(SYSTEM.dataset(GAINS, 10, seed=0))
    traits = torch.full((3, TRAITS), 2.0)
    guess = encoder(traits, torch.tensor([0, 40, 4000]))[:, :TRAITS]
    assert (guess[0] == 0.0).all()
    assert (guess[1].abs() <= guess[2].abs()).all() and guess[1].abs().max() < guess[2].abs().max()


def test_drivers_who_may_have_shown_a_motion_scatter_as_the_true_one_does() -> None:
    encoder, rng = MotionEncoder(1, 16), np.random.default_rng(0)
    encoder.span.fill_(50.0)
    encoder.difference.copy_(torch.linspace(0.2, 5.0, TRAITS))
    deviation = encoder.difference.sqrt().numpy()
    errors = []
    for _ in range(400):
        truth, episodes = deviation * rng.standard_normal(TRAITS), int(rng.integers(1, 30))
        signs = torch.from_numpy(truth + rng.standard_normal(TRAITS) / np.sqrt(episodes)).float()
        noise = torch.from_numpy(rng.standard_normal((64, TRAITS))).float()
        drawn = encoder.draw(signs, torch.tensor(50.0 * episodes), noise)[:, :TRAITS].detach().numpy()
        errors.append((truth / deviation - drawn.mean(axis=0)) / drawn.std(axis=0, ddof=1))
    np.testing.assert_allclose(np.std(errors, axis=0), 1.0, atol=0.15)


def certainty(data: Dataset, episodes: int) -> np.ndarray:
    """How certain each trait of a driver is by so many episodes."""
    difference = sampler(data)[1].difference.numpy()
    return difference * episodes / (1.0 + difference * episodes)


@pytest.mark.parametrize(("behaviors", "episodes"), [(2, 20), (4, 10), (24, 4)])
def test_controllers_that_are_alike_are_never_told_apart(behaviors: int, episodes: int) -> None:
    found = []
    for seed in range(5):
        alike = SYSTEM.dataset(np.full(behaviors, 0.1), episodes, seed)
        found.append(certainty(replace(alike, **named(np.arange(alike.episodes) % behaviors)), episodes).max())
    assert np.mean(found) < 0.2


def named(behavior: np.ndarray) -> dict[str, Any]:
    return {"behavior": behavior, "behavior_names": tuple(f"{index:02}" for index in range(behavior.max() + 1))}


def test_controllers_that_clearly_differ_are_told_apart() -> None:
    for gains, episodes in ((GAINS[[0, -1]], 20), (GAINS, 10)):
        for seed in range(3):
            assert certainty(SYSTEM.dataset(gains, episodes, seed), episodes)[-1] > 0.9


def test_a_trait_that_no_controllers_differ_in_is_never_drawn() -> None:
    encoder = MotionEncoder(1, 16)
    drawn = encoder.draw(torch.ones(TRAITS), torch.tensor(100.0), torch.ones(3, TRAITS))
    assert (drawn[:, :TRAITS] == 0.0).all()


def agent_of(representation: str) -> DvfAgent:
    training = TrainingConfig(
        discount=SYSTEM.discount,
        chunk=1,
        updates=2500,
        sampler_distillation=0,
        distillation=0,
        batch=256,
        width=64,
        members=1,
        perturbation=0.02,
        ema=0.99,
    )
    config = LearningConfig(
        replace(training, representation=representation),
        DecisionConfig(futures=256, occupancy_steps=6, execute=1, device="cpu"),
    )
    return train(SYSTEM.dataset(GAINS, 40, seed=0), config)[0]


@pytest.mark.slow
def test_unseen_controllers_are_valued_and_ranked_from_their_motion() -> None:
    agent = agent_of("context")
    rng = np.random.default_rng(7)
    found, exact = [], []
    for gain in UNSEEN:
        motion = [SYSTEM.path(gain, start, rng) for start in rng.uniform(-2, 2, 40)]
        values = value_states(agent, STARTS, np.random.default_rng(0), agent.horizon, driver_by_motion(agent, motion))
        found.append(values.value)
        exact.append([SYSTEM.value(gain, start) for start in STARTS[:, 0]])
    assert kendalltau(np.mean(found, axis=1), np.mean(exact, axis=1)).statistic == pytest.approx(1.0)
    error = np.abs(np.mean(found, axis=1) - np.mean(exact, axis=1))
    assert (error < 0.1 * np.mean(exact, axis=1)).all()
    mixture = value_states(agent, STARTS, np.random.default_rng(0), agent.horizon).value.mean()
    assert np.mean(found[0]) < mixture < np.mean(found[-1]), "whoever is not known is worth something in between"


def test_an_agent_that_knows_names_only_says_so() -> None:
    named, _ = train(dataset(), CONFIG)
    with pytest.raises(ValueError, match=r"--training\.representation context"):
        driver_by_motion(named, [dataset().states[:5]])
    assert driver_by_name(named, "b") == torch.tensor([1])
    assert driver_by_name(named, "nobody") is None


def test_an_agent_that_was_never_told_who_drives_knows_nobody_by_name() -> None:
    never = replace(CONFIG, training=replace(CONFIG.training, behavior_drop=1.0))
    agent, _ = train(dataset(), never)
    assert agent.behavior_names == ("a", "b") and driver_by_name(agent, "b") is None
    with pytest.raises(ConfigError, match=r"'behavior': .*found max; .*trained with behavior_drop 1, and knows no"):
        agent.configure(replace(agent.decision, behavior="max"))
    with pytest.raises(ConfigError, match=r"found max"):
        train(dataset(), replace(never, decision=replace(CONFIG.decision, behavior="max")))
    with pytest.raises(ConfigError, match=r"'behavior_drop': expected below 1 with representation context.*found 1"):
        replace(CONFIG.training, behavior_drop=1.0, representation="context")


def test_bad_motion_is_refused_and_so_is_the_best_of_behaviors_that_have_no_index() -> None:
    agent, _ = train(dataset(), replace(CONFIG, training=replace(CONFIG.training, representation="context")))
    with pytest.raises(ValueError, match="at least 2 states"):
        driver_by_motion(agent, [dataset().states[:1]])
    with pytest.raises(ValueError, match=r"trajectories \(L, 7\)"):
        driver_by_motion(agent, [np.zeros((5, 3))])
    assert driver_by_name(agent, "b") is None
    with pytest.raises(ConfigError, match="found max"):
        agent.configure(replace(agent.decision, behavior="max"))
