"""Another score on the agent's own candidates: the choice is the score's, everything else the agent's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from benchmarks.rescored import RescoredAgent
from dvf_ros.learning.training import train
from tests.learning.small import CONFIG, SPEC, dataset


def test_the_candidate_whose_end_scores_highest_is_chosen() -> None:
    agent, _ = train(dataset(), replace(CONFIG, training=replace(CONFIG.training, distillation=0)))
    agent.configure(replace(agent.decision, false_alarm=1e-4))
    other = RescoredAgent.of(agent, lambda states: states[..., 0])
    state = SPEC.neutral_state
    ours = other.decide(state, np.random.default_rng(3))
    own = agent.decide(state, np.random.default_rng(3))
    np.testing.assert_array_equal(ours.candidates, own.candidates)
    assert len(np.unique(ours.scores)) == len(ours.scores)
    chunks = other.normalise_action(torch.from_numpy(ours.candidates))
    start = other.encoder.encode(torch.from_numpy(state)).expand(len(chunks), -1)
    expected = other.dynamics.predict(start, chunks)[..., 0].mean(dim=0)
    np.testing.assert_allclose(ours.scores, expected.numpy(), atol=1e-5)
    among = ours.supported if ours.supported.any() else np.ones_like(ours.supported)
    assert ours.scores[ours.chosen] == ours.scores[among].max()
