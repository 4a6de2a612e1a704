"""What the libraries are given, and how their policies are driven."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from benchmarks.peers import load_peer, transitions
from tests.learning.small import SPEC, dataset


def test_a_library_sees_the_frames_with_an_action_and_where_their_runs_end() -> None:
    data = dataset(4)  # episodes of 20 frames; in 0 and 2 actions are known in the first ten only
    observations = np.arange(80, dtype=np.float32)[:, None]
    found = transitions(data, observations, np.arange(80) / 80)
    kept = np.concatenate([np.arange(0, 10), np.arange(20, 39), np.arange(40, 50), np.arange(60, 79)])
    np.testing.assert_array_equal(found["observations"][:, 0], kept)
    np.testing.assert_array_equal(np.flatnonzero(found["timeouts"]), [9, 28, 38, 57])
    np.testing.assert_allclose(found["rewards"], kept / 80)
    np.testing.assert_allclose(found["actions"], data.actions[kept] / 0.5)


class _Sum(nn.Module):
    """An action of which every number is the sum of what is seen."""

    def forward(self, seen: Tensor) -> Tensor:
        return seen.sum(dim=1, keepdim=True).expand(-1, 3)


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_a_policy_is_asked_in_its_own_space_and_answers_within_the_limits(tmp_path: Path) -> None:
    data = dataset(4)
    torch.jit.script(_Sum()).save(tmp_path / "policy.pt")
    peer = load_peer(tmp_path / "policy.pt", data, relative_positions=False)
    state = np.array(data.states[5])
    share = float(peer.encoder.encode(torch.from_numpy(state)).sum().clamp(-1.0, 1.0))
    decision = peer.decide(state, np.random.default_rng(0))
    np.testing.assert_allclose(decision.chunk, np.full((1, 3), 0.5 * share), rtol=1e-5)
    far = peer.decide(replace(data, states=100.0 + data.states).states[5], np.random.default_rng(0))
    assert np.abs(far.chunk).max() <= SPEC.action_upper.max()
    assert peer.decision.execute == 1 and decision.supported.all() and not decision.refusal
