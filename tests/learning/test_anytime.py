"""A decision whose time runs out: the best of what was scored until then."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from dvf_ros.control.brain import Request
from dvf_ros.core.decision import Decision
from dvf_ros.learning import value
from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.training import train
from dvf_ros.learning.value import Draws, ValueEstimate, block_size
from tests.learning.small import CONFIG, SPEC, dataset

SLOW = 0.05
"""s that one block takes."""

BLOCK = 2
CANDIDATES = 12


@pytest.fixture(scope="module")
def trained() -> DvfAgent:
    agent, _ = train(dataset(), CONFIG)
    agent.configure(replace(CONFIG.decision, candidates=CANDIDATES, scoring="futures"))
    return agent


@pytest.fixture
def slow(trained: DvfAgent, monkeypatch: pytest.MonkeyPatch) -> DvfAgent:
    """An agent that takes SLOW for every block of two candidates."""
    usual = trained.evaluate_with

    def evaluate(
        states: torch.Tensor, draws: Draws, share: float = 1.0, driver: torch.Tensor | None = None
    ) -> ValueEstimate:
        time.sleep(SLOW)
        return usual(states, draws, share, driver)

    monkeypatch.setattr(value, "BLOCK", BLOCK)
    monkeypatch.setattr(value, "SMALL_BLOCK", BLOCK)
    monkeypatch.setattr(trained, "evaluate_with", evaluate)
    return trained


def decide(agent: DvfAgent, deadline: float) -> Decision:
    return agent.decide(SPEC.neutral_state, np.random.default_rng(0), deadline)


def test_without_a_deadline_all_candidates_are_scored(slow: DvfAgent) -> None:
    decision = slow.decide(SPEC.neutral_state, np.random.default_rng(0))
    assert len(decision.scores) == CANDIDATES and decision.unscored == 0


def test_the_best_of_what_was_scored_in_time_is_chosen(slow: DvfAgent) -> None:
    whole = slow.decide(SPEC.neutral_state, np.random.default_rng(0))
    decision = decide(slow, time.monotonic() + 3.5 * SLOW)
    scored = len(decision.scores)
    assert BLOCK <= scored <= 3 * BLOCK and decision.unscored == CANDIDATES - scored
    for name in ("scores", "values", "disagreement", "standard_error", "supported", "candidates"):
        np.testing.assert_array_equal(getattr(decision, name), getattr(whole, name)[:scored])
    among = decision.supported if decision.supported.any() else np.ones(scored, bool)
    assert decision.scores[decision.chosen] == decision.scores[among].max()
    np.testing.assert_array_equal(decision.chunk, decision.candidates[decision.chosen])


def test_blocks_are_small_where_time_is_short() -> None:
    assert block_size(spent=0.003, left=np.inf) == block_size(spent=0.003, left=0.034) == value.BLOCK
    assert block_size(spent=0.020, left=0.017) == block_size(spent=0.003, left=-1.0) == value.SMALL_BLOCK


def test_one_block_is_scored_however_late_it_is(slow: DvfAgent) -> None:
    assert len(decide(slow, deadline=0.0).scores) == BLOCK


def test_what_was_cut_short_can_be_explained(slow: DvfAgent) -> None:
    decision = decide(slow, deadline=0.0)
    assert slow.explain(SPEC.neutral_state, decision, np.random.default_rng(1)).explained


def test_a_deadline_that_is_kept_changes_no_bit(trained: DvfAgent) -> None:
    free, kept = decide(trained, np.inf), decide(trained, time.monotonic() + 60.0)
    for name in ("chunk", "candidates", "scores", "values", "disagreement"):
        np.testing.assert_array_equal(getattr(free, name), getattr(kept, name))


def test_a_request_whose_time_counts_is_answered_within_it(slow: DvfAgent) -> None:
    """Three quarters of a period of 1 s / 20: time for one block, where all six would take 0.3 s."""
    deciding, clocks = (pytest.importorskip(f"dvf_ros.nodes.{name}") for name in ("deciding", "clocks"))
    node = deciding.Deciding(slow, lambda: slow.decision, seed=0, share=0.75, pace=1.0, logger=None)
    state = SPEC.neutral_state
    assert node.decide(Request(0, state)).unscored == 0
    asked = node.decide(Request(0, state, asked=clocks.steady_ns()))
    assert len(asked.scores) == BLOCK and asked.unscored == CANDIDATES - BLOCK
