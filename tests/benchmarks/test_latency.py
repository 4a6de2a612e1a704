"""The parts of the latency benchmark that its figures rest on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.latency import agreement
from benchmarks.latency.floor import time_products
from benchmarks.latency.ticks import agent_of_size, percentiles, time_growth, time_ticks
from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.config import DecisionConfig
from dvf_ros.learning.training import train
from tests.learning.small import CONFIG, SPEC, dataset


@pytest.fixture(scope="module")
def agent() -> DvfAgent:
    return train(dataset(), CONFIG)[0]


def test_a_tick_is_the_sum_of_its_stages_and_little_else(agent: DvfAgent) -> None:
    times = time_ticks(agent, SPEC.neutral_state[None], count=30, period=0.0)
    stages = times["propose"] + times["predict"] + times["evaluate"]
    assert len(stages) == 30 and (stages <= times["total"]).all()
    assert np.median(stages) > 0.5 * np.median(times["total"])


def test_percentiles_rise_to_the_maximum() -> None:
    found = percentiles(np.arange(1001.0))
    assert found == {"p50_ms": 500.0, "p95_ms": 950.0, "p99_ms": 990.0, "max_ms": 1000.0}


def test_every_matrix_product_of_the_occupancy_is_counted() -> None:
    """Doubling the futures adds what the occupancy and the reward heads multiply for them, and nothing else."""
    decision = DecisionConfig(candidates=4, futures=8, device="cpu", policy="prior")
    agent = agent_of_size(10, decision)
    agent.horizon = 100_000  # no offset needs a second hop
    _, few = time_products(agent, agent.spec.neutral_state, count=1)
    agent.configure(replace(decision, futures=16))
    _, more = time_products(agent, agent.spec.neutral_state, count=1)
    width, head, size, members = agent.training_config.student_width, 128, 10, 5
    occupancy = size * width + 2 * width * width + width * (size + 1)  # for each future of each candidate
    shared = 13 * width + (size + 1) * width  # offsets and noise are those of all candidates: there is one here
    reward = members * (size * head + head * head + head)
    assert more - few == pytest.approx(2 * 8 * (occupancy + shared + reward) / 1e6, rel=1e-6)


def test_time_grows_with_candidates_and_futures() -> None:
    agent = agent_of_size(10, DecisionConfig(device="cpu"))
    growth = time_growth(agent, agent.spec.neutral_state[None], count=5)
    assert growth["candidates"]["128"] > growth["candidates"]["8"]
    assert growth["futures"]["64"] > growth["futures"]["4"]
    assert set(growth["state_size"]) == {"10", "30", "100", "300"}


def test_the_exact_sampler_agrees_with_itself_and_settings_are_given_back(
    agent: DvfAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agreement, "EXACT_STEPS", 2)
    states = SPEC.neutral_state + np.array([[0.5, 0, 0, 0, 0, 0, 0], [-0.5, 0, 0, 0, 0, 0, 0]], np.float32)
    before = agent.decision
    found = agreement.rank_agreement(agent, states)
    assert set(found) == {
        "gain",
        "gain_of_exact",
        "pooled",
        "per_state",
        "ceiling_pooled",
        "ceiling_per_state",
    }
    assert found["gain"] <= 1.0 and found["gain_of_exact"] <= 1.0
    assert found["ceiling_pooled"] > 0.8
    assert agent.decision == before
