"""Distilled heads against what they were distilled from."""

from __future__ import annotations

import copy

import numpy as np
import torch

from dvf_ros.learning.distillation import STEPS, Distillation
from dvf_ros.learning.training import Training
from tests.learning.small import CONFIG, dataset


def test_value_heads_approach_the_sampled_values_and_nothing_else_changes() -> None:
    training = Training(dataset(), CONFIG)
    for _ in range(150):
        training.update()
    agent = training.agent
    before = copy.deepcopy(agent.state_dict())
    distillation = Distillation(agent, training.batches, updates=400, seed=0)
    for _ in range(400):
        distillation.update()
    changed = {name.partition(".")[0] for name, value in agent.state_dict().items() if not value.equal(before[name])}
    assert changed == {"value_heads", "actor", "distilled"}
    with torch.inference_mode():
        states = training.batches.states[::7]
        sampled = agent.sample_values(states, np.random.default_rng(1), futures=256, steps=STEPS).mean(dim=0)
        heads = agent.value_heads.predict(states).mean(dim=0)
    # Not ranks: most of these states are worth next to nothing, and how they rank among themselves is chance.
    assert np.corrcoef(sampled, heads)[0, 1] > 0.97
    assert float((sampled - heads).abs().mean()) < 0.08 * float(sampled.max() - sampled.min())


def test_the_actor_learns_the_best_of_the_candidates() -> None:
    """Reward 1 where x > 0, moved by the command: the best chunks move towards positive x."""
    training = Training(dataset(), CONFIG)
    for _ in range(300):
        training.update()
    distillation = Distillation(training.agent, training.batches, updates=300, seed=0)
    for _ in range(300):
        distillation.update()
    with torch.inference_mode():
        start = training.batches.states
        acted = training.agent.actor.act(start)[..., 0].mean()
        noise = torch.randn(len(start), *training.agent.actor.shape, generator=torch.Generator().manual_seed(0))
        usual = training.agent.prior.sample(start, noise, CONFIG.decision.prior_steps)[..., 0].mean()
    assert float(acted) > float(usual)
