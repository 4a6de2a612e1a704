"""One-step samplers against the many steps that they were distilled from."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from dvf_ros.data.dataset import Dataset
from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.sampler_distillation import STEPS, SamplerDistillation
from dvf_ros.learning.training import Training, train
from tests.learning.small import CONFIG, SPEC, dataset, episode


@pytest.fixture(scope="module")
def distilled() -> tuple[Training, dict[str, torch.Tensor]]:
    training = Training(dataset(), CONFIG)
    for _ in range(200):
        training.update()
    before = copy.deepcopy(training.agent.state_dict())
    distillation = SamplerDistillation(training.agent, training.batches, updates=400, seed=0)
    for _ in range(400):
        distillation.update()
    return training, before


def queries(training: Training) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """State, offset, behavior and noise that no update has seen."""
    state, offset, future, behavior = training.batches.pairs(np.random.default_rng(99), CONFIG.training.batch)
    return state, offset, behavior, torch.randn(future.shape, generator=torch.Generator().manual_seed(99))


def test_nothing_but_the_students_changes(distilled: tuple[Training, dict[str, torch.Tensor]]) -> None:
    training, before = distilled
    after = training.agent.state_dict()
    changed = {name.partition(".")[0] for name, value in after.items() if not value.equal(before[name])}
    assert changed == {"one_step_occupancy", "one_step_prior", "samplers_distilled"}


def test_one_step_lands_where_many_do(distilled: tuple[Training, dict[str, torch.Tensor]]) -> None:
    """Its error is a small part of that of the teacher's own single step, which finds the mean."""
    agent, batches = distilled[0].agent, distilled[0].batches
    with torch.inference_mode():
        asked = queries(distilled[0])
        wanted = agent.occupancy.sample(*asked, STEPS)
        student = (agent.one_step_occupancy.sample(*asked, 1) - wanted).square().mean()
        teacher = (agent.occupancy.sample(*asked, 1) - wanted).square().mean()
        assert float(student) < 0.3 * float(teacher)
        start = batches.states[::3]
        noise = torch.randn(len(start), *agent.actor.shape, generator=torch.Generator().manual_seed(98))
        wanted = agent.prior.sample(start, noise, STEPS)
        student = (agent.one_step_prior.sample(start, noise, 1) - wanted).square().mean()
        teacher = (agent.prior.sample(start, noise, 1) - wanted).square().mean()
        assert float(student) < 0.3 * float(teacher)


def test_decisions_use_it_unless_the_exact_sampler_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    agent, _ = train(dataset(), CONFIG)
    called: list[tuple[str, int]] = []
    for name in ("occupancy", "one_step_occupancy", "prior", "one_step_prior"):
        model = getattr(agent, name)

        def noted(*args: object, name: str = name, sample: object = model.sample) -> torch.Tensor:
            called.append((name, args[-1]))
            return sample(*args)

        monkeypatch.setattr(model, "sample", noted)
    assert set(_decide(agent, called)) == {("one_step_occupancy", 1), ("one_step_prior", 1)}
    agent.configure(replace(CONFIG.decision, sampler="exact"))
    expected = {("occupancy", CONFIG.decision.occupancy_steps), ("prior", CONFIG.decision.prior_steps)}
    assert set(_decide(agent, called)) == expected


def test_without_distillation_many_steps_are_taken() -> None:
    training = replace(CONFIG.training, sampler_distillation=0)
    agent, _ = train(dataset(), replace(CONFIG, training=training))
    assert agent.decision.sampler == "distilled" and not agent.samples_in_one_step


def test_samplers_need_no_reward() -> None:
    unpaid = [replace(episode(seed, "ab"[seed % 2]), reward_mask=np.zeros(20, bool)) for seed in range(4)]
    agent, _ = train(Dataset.from_episodes(SPEC, unpaid), CONFIG)
    assert agent.samples_in_one_step and not agent.distilled


def _decide(agent: DvfAgent, called: list[tuple[str, int]]) -> list[tuple[str, int]]:
    called.clear()
    agent.decide(SPEC.neutral_state, np.random.default_rng(0))
    return list(called)
