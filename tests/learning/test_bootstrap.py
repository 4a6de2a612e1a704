"""Futures beyond the end of every recording: known in closed form, and good enough to choose a road by."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks import crossroads
from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.bootstrap import Bootstrap
from dvf_ros.learning.config import DecisionConfig, LearningConfig, TrainingConfig
from dvf_ros.learning.training import Training, train
from tests.learning.small import CONFIG, dataset
from tests.learning.systems import LinearGaussian


class Cut(LinearGaussian):
    """The same system, recorded for six steps at a time."""

    limit = 6


def bootstrapped(system: Cut, updates: int) -> DvfAgent:
    settings = TrainingConfig(
        discount=system.discount,
        chunk=1,
        width=64,
        updates=updates,
        sampler_distillation=0,
        distillation=0,
        perturbation=0.02,
        occupancy="bootstrapped",
    )
    config = LearningConfig(settings, DecisionConfig(device="cpu", execute=1))
    return train(system.dataset(4000, 0), config)[0]


def sampled(agent: DvfAgent, state: np.ndarray, offset: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Raw states (n, D) and whether they have ended (n,), whoever drives."""
    start = agent.encoder.encode(torch.as_tensor(state, dtype=torch.float32))
    noise = torch.randn(count, agent.encoder.size + 1, generator=torch.Generator().manual_seed(0))
    futures = agent.occupancy.sample(start, torch.tensor(offset), torch.tensor(agent.occupancy.dropped), noise, 16)
    return agent.encoder.decode(futures[:, :-1]).numpy(), (futures[:, -1] > 0).numpy()


@pytest.mark.slow
def test_a_linear_gaussian_system_is_known_far_beyond_its_recordings() -> None:
    system = Cut()
    agent = bootstrapped(system, 2000)
    assert agent.coverage > 0.99
    means, spreads = [], []
    for start in np.array([[1.0, -1.0], [-1.5, 1.0], [0.0, 0.5]]):
        for offset in (1, 3, 10, 20):
            states, ended = sampled(agent, start, offset, 4000)
            mean, variance = system.moments(start, offset)
            means.append(states.mean(axis=0) - mean)
            spreads.append(states.std(axis=0) / np.sqrt(variance) - 1)
            assert not ended.any()
    assert np.abs(means).max() < 0.15, means  # of a standard deviation
    assert np.abs(spreads).max() < 0.12, spreads


@pytest.mark.slow
def test_a_road_that_was_recorded_in_pieces_is_taken() -> None:
    """By Monte-Carlo pairs the small reward at the end of another road looks better: it was seen in one piece."""
    rates = {}
    for pairs in ("bootstrapped", "monte_carlo"):
        agent = crossroads.trained(0, pairs, 1500)
        rates[pairs] = np.mean([crossroads.arrives(agent, 30_000 + k) for k in range(30)])
    agent.configure(replace(agent.decision, policy="prior"))
    rates["prior"] = np.mean([crossroads.arrives(agent, 30_000 + k) for k in range(30)])
    assert rates["bootstrapped"] >= 0.8 and max(rates["monte_carlo"], rates["prior"]) <= 0.5, rates


def test_recorded_futures_stay_as_they_are_and_others_come_from_the_model() -> None:
    training = Training(dataset(), replace(CONFIG, training=replace(CONFIG.training, occupancy="bootstrapped")))
    batches, model = training.batches, training.agent.occupancy
    made = Bootstrap(batches, model).pairs(np.random.default_rng(3), 256, model, trusted=True)
    *_, landed, _, remaining = batches.hops(np.random.default_rng(3), 256, model)
    beyond = remaining > 0
    assert 0.2 < beyond.float().mean() < 0.8
    torch.testing.assert_close(made[2][~beyond], landed[~beyond], rtol=0, atol=0)
    assert (made[2][beyond] != landed[beyond]).any(dim=1).all()
    assert (made[2][:, :-1] >= batches.states.amin(dim=0)).all() and (made[2][:, -1].abs() == 1.0).all()


def test_before_the_model_can_be_trusted_every_future_is_a_recorded_one() -> None:
    training = Training(dataset(), replace(CONFIG, training=replace(CONFIG.training, occupancy="bootstrapped")))
    made = Bootstrap(training.batches, training.agent.occupancy).pairs(
        np.random.default_rng(3), 64, training.agent.occupancy, trusted=False
    )
    recorded = {tuple(row) for row in training.batches.states.numpy().round(5)}
    assert all(tuple(row) in recorded for row in made[2][:, :-1].numpy().round(5))


def test_offsets_of_any_length_are_asked_for_in_one_go() -> None:
    """The longest recording shows 19 ticks."""
    settings = replace(CONFIG.training, occupancy="bootstrapped", discount=0.95)
    agent, _ = train(dataset(), replace(CONFIG, training=settings))
    assert agent.horizon == 135 and bool(agent.samplers_distilled)
