"""The agent on the inference thread: what a tick's random numbers depend on, and what a failing explanation costs."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from rclpy.logging import get_logger

from dvf_ros.control.brain import Request
from dvf_ros.core.expression import ExpressionError
from dvf_ros.core.expression_parsing import parse_expression
from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.training import train
from dvf_ros.nodes import deciding as module
from dvf_ros.nodes.deciding import Deciding
from tests.learning.small import CONFIG, dataset

REQUEST = Request(1_000_000_000, np.array([0.3, -0.2, 0.1, 0, 0, 0, 1], np.float32))


@pytest.fixture(scope="module")
def agent() -> DvfAgent:
    return train(dataset(), CONFIG)[0]


def deciding(agent: DvfAgent, seed: int = 0, **settings: Any) -> Deciding:
    return Deciding(agent, lambda: replace(CONFIG.decision, **settings), seed, 0.7, 1.0, get_logger("test"))


def test_a_tick_is_decided_the_same_after_any_history(agent: DvfAgent) -> None:
    first = deciding(agent).decide(REQUEST)
    later = deciding(agent)
    later.decide(replace(REQUEST, stamp=5))
    np.testing.assert_array_equal(later.decide(REQUEST).candidates, first.candidates)
    assert not np.array_equal(deciding(agent, seed=1).decide(REQUEST).candidates, first.candidates)


def test_settings_that_changed_count_from_the_next_decision(agent: DvfAgent) -> None:
    assert len(deciding(agent, candidates=3).decide(REQUEST).scores) == 3
    assert len(deciding(agent).decide(REQUEST).scores) == CONFIG.decision.candidates


def test_the_time_for_a_decision_counts_the_machines_sleep(agent: DvfAgent, monkeypatch: pytest.MonkeyPatch) -> None:
    deadlines: list[float] = []
    monkeypatch.setattr(agent, "decide", lambda state, rng, deadline: deadlines.append(deadline))
    slept = 10**12  # ns: as if it had slept before, which Python's monotonic clock does not count
    monkeypatch.setattr(module, "steady_ns", lambda: time.monotonic_ns() + slept)
    deciding(agent).decide(replace(REQUEST, asked=time.monotonic_ns() + slept))
    deciding(agent).decide(REQUEST)
    left = deadlines[0] - time.monotonic()
    assert 0 < 0.8 * 0.7 / agent.spec.rate - left < 2.0 and deadlines[1] == np.inf


def test_a_model_that_cannot_explain_still_decides(agent: DvfAgent, monkeypatch: pytest.MonkeyPatch) -> None:
    node = deciding(agent)
    decision = node.decide(REQUEST)
    assert node.explain(REQUEST, decision).futures.shape == (CONFIG.decision.futures, 7)

    def fail(*_: object) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(agent, "explain", fail)
    assert node.explain(REQUEST, decision) is decision


@pytest.mark.parametrize("policy", ["actor", "prior"])
def test_who_does_not_score_takes_no_written_reward(agent: DvfAgent, policy: str) -> None:
    written = parse_expression("position.x", agent.spec)
    node = deciding(agent, policy=policy)
    with pytest.raises(ExpressionError, match=f"the policy '{policy}' looks at no reward; start .* with policy best"):
        node.set_reward(written)
    assert agent.written is None
    assert not node.set_reward(None), "it is the learned one already"
    assert [deciding(agent).set_reward(written) for _ in range(2)] == [True, False]
    assert agent.written is not None
    agent.set_reward(None)
