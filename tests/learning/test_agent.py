"""Decisions: reproducible, of the stated shapes, within limits, and equal for equal candidates."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from dvf_ros.core.expression_parsing import parse_expression
from dvf_ros.core.parsing import ConfigError
from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.training import train
from dvf_ros.learning.value import SAMPLED
from tests.learning.small import CONFIG, dataset

STATE = np.array([0.1, 0.2, -0.3, 0, 0, 0, 1], np.float32)


@pytest.fixture(scope="module")
def trained() -> DvfAgent:
    return train(dataset(), CONFIG)[0]


@pytest.fixture
def agent(trained: DvfAgent) -> DvfAgent:
    trained.configure(CONFIG.decision)
    return trained


def decide(agent: DvfAgent, seed: int = 0):
    return agent.decide(STATE, np.random.default_rng(seed))


def explain(agent: DvfAgent, seed: int = 0):
    return agent.explain(STATE, decide(agent, seed), np.random.default_rng([seed, 1]))


def test_a_decision_has_the_stated_shapes_and_is_finite(agent: DvfAgent) -> None:
    decision = decide(agent)
    assert decision.candidates.shape == (6, 4, 3)
    assert decision.chunk.shape == (4, 3)
    for name in ("scores", "values", "disagreement", "standard_error"):
        assert getattr(decision, name).shape == (6,)
        assert np.isfinite(getattr(decision, name)).all()
    assert decision.supported.shape == (6,) and not decision.explained
    decision = explain(agent)
    assert decision.explained
    assert decision.futures.shape == (8, 7)
    assert decision.ends.shape == (6, 7)
    assert decision.offsets.shape == decision.rewards.shape == (8,)
    np.testing.assert_allclose(np.linalg.norm(decision.futures[:, 3:7], axis=1), 1.0, atol=1e-5)


def test_the_chosen_chunk_is_the_one_of_highest_score(agent: DvfAgent) -> None:
    decision = decide(agent)
    assert decision.supported.all() and decision.chosen == decision.scores.argmax()
    np.testing.assert_array_equal(decision.chunk, decision.candidates[decision.chosen])
    pessimism = CONFIG.decision.pessimism
    np.testing.assert_allclose(decision.scores, decision.values - pessimism * decision.disagreement, rtol=1e-5)


def test_the_same_seed_decides_the_same_and_another_does_not(agent: DvfAgent) -> None:
    first, second, other = explain(agent), explain(agent), explain(agent, seed=1)
    for name in ("candidates", "scores", "values", "futures", "offsets", "rewards"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    assert not np.array_equal(first.candidates, other.candidates)


def test_candidates_stay_within_the_limits_of_the_spec(agent: DvfAgent) -> None:
    far = agent.decide(STATE + np.array([50, 0, 0, 0, 0, 0, 0], np.float32), np.random.default_rng(0))
    assert far.candidates.min() >= -0.5
    assert far.candidates.max() <= 0.5


def test_the_same_candidate_twice_gets_the_same_score(agent: DvfAgent, monkeypatch: pytest.MonkeyPatch) -> None:
    chunks = torch.randn(2, 4, 3).clamp(-0.4, 0.4)[[0, 1, 0]]
    monkeypatch.setattr(agent, "_propose", lambda start, rng: chunks)
    scores = decide(agent).scores
    assert scores[0] == pytest.approx(scores[2], rel=1e-6)
    assert scores[0] != pytest.approx(scores[1], rel=1e-6)


def test_the_reported_value_comes_from_fresh_futures(agent: DvfAgent) -> None:
    for seed in range(20):
        decision = explain(agent, seed)
        assert decision.value != decision.values[decision.chosen]


def test_values_are_returns_within_the_range_of_the_rewards(agent: DvfAgent) -> None:
    longest = 1 / (1 - agent.training_config.discount)
    decision = decide(agent)
    assert (decision.values >= 0).all() and (decision.values <= longest).all()
    value, error = agent.value(STATE, np.random.default_rng(0))
    assert 0 <= value <= longest and error >= 0
    assert decision.discount == agent.training_config.discount


def test_offsets_count_from_the_present(agent: DvfAgent) -> None:
    assert explain(agent).offsets.min() > agent.training_config.chunk


@pytest.mark.parametrize(("hop", "longest"), [(0, None), (3, 3), (1000, None)])
def test_the_occupancy_is_asked_for_no_more_than_a_hop(
    agent: DvfAgent, monkeypatch: pytest.MonkeyPatch, hop: int, longest: int | None
) -> None:
    asked: list[int] = []
    real = agent.occupancy.sample

    def sample(state: torch.Tensor, offset: torch.Tensor, *rest: Any) -> torch.Tensor:
        asked.append(int(offset.max()))
        return real(state, offset, *rest)

    monkeypatch.setattr(agent.occupancy, "sample", sample)
    agent.configure(replace(CONFIG.decision, hop=hop, sampler="exact", scoring="futures", futures=64))
    decide(agent)
    assert max(asked) == (longest or agent.horizon)


def test_prior_alone_is_one_candidate(agent: DvfAgent) -> None:
    agent.configure(replace(CONFIG.decision, policy="prior"))
    decision = decide(agent)
    assert decision.candidates.shape == (1, 4, 3)
    assert decision.chosen == 0


def test_the_actor_is_one_candidate_and_the_same_for_every_seed(agent: DvfAgent) -> None:
    agent.configure(replace(CONFIG.decision, policy="actor"))
    first, second = decide(agent), decide(agent, seed=1)
    assert first.candidates.shape == (1, 4, 3)
    np.testing.assert_array_equal(first.chunk, second.chunk)


def test_the_actors_chunk_is_the_first_candidate_where_it_proposes(agent: DvfAgent) -> None:
    candidates = decide(agent).candidates
    agent.configure(replace(CONFIG.decision, policy="actor"))
    np.testing.assert_allclose(candidates[0], decide(agent).candidates[0], atol=1e-6)
    agent.configure(replace(CONFIG.decision, actor_proposes=False))
    without = decide(agent).candidates
    np.testing.assert_array_equal(without[1:], candidates[1:])
    assert not np.allclose(without[0], candidates[0], atol=1e-3)


def test_an_actor_that_learned_nothing_is_refused(agent: DvfAgent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(agent._buffers, "distilled", torch.tensor(False))
    with pytest.raises(ConfigError, match="found actor, which this agent has not learned"):
        agent.configure(replace(CONFIG.decision, policy="actor"))


def test_a_candidate_that_resembles_the_data_wins_over_a_better_one_that_does_not(
    agent: DvfAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    best = decide(agent).chosen
    monkeypatch.setattr(agent.support, "holds", lambda spread, rate: torch.arange(len(spread)) != best)
    decision = decide(agent)
    assert decision.chosen != best and decision.scores[best] > decision.scores[decision.chosen]
    monkeypatch.setattr(agent.support, "holds", lambda spread, rate: torch.zeros(len(spread), dtype=torch.bool))
    assert decide(agent).chosen == best and not decide(agent).supported.any() and not decide(agent).refusal
    agent.configure(replace(CONFIG.decision, unsupported="stop"))
    assert decide(agent).refusal == "neither the state nor any candidate resembles the data"


def test_all_that_is_said_where_nothing_resembles_the_data_is_of_the_actors_chunk(
    agent: DvfAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent.configure(replace(CONFIG.decision, scoring="heads"))
    usual = decide(agent)
    agent.configure(replace(CONFIG.decision, scoring="heads", policy="actor"))
    acted = decide(agent)
    agent.configure(replace(CONFIG.decision, scoring="heads", unsupported="actor"))
    np.testing.assert_array_equal(decide(agent).scores, usual.scores)
    monkeypatch.setattr(agent.support, "holds", lambda spread, rate: torch.zeros(len(spread), dtype=torch.bool))
    astray = explain(agent)
    assert astray.chosen == 0 and astray.candidates.shape == (1, 4, 3) and not astray.supported.any()
    for name in ("chunk", "candidates", "scores", "values", "disagreement", "standard_error"):
        np.testing.assert_array_equal(getattr(astray, name), getattr(acted, name))
    assert set(astray.timings) == set(usual.timings) and min(astray.timings.values()) >= 0.0
    encoded = agent.encoder.encode(torch.from_numpy(STATE)).unsqueeze(0)
    ends = agent.dynamics.predict(encoded, agent.normalise_action(torch.from_numpy(astray.chunk).unsqueeze(0)))
    np.testing.assert_allclose(astray.ends, agent.encoder.decode(ends.mean(dim=0)), atol=1e-5)


def test_no_actor_takes_over_under_a_reward_that_it_does_not_know(
    agent: DvfAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent.configure(replace(CONFIG.decision, unsupported="actor"))
    agent.set_reward(parse_expression("position.x", agent.spec))
    assert not decide(agent).refusal
    monkeypatch.setattr(agent.support, "holds", lambda spread, rate: torch.zeros(len(spread), dtype=torch.bool))
    astray = decide(agent)
    assert len(astray.candidates) > 1 and "the actor knows no reward but the learned one" in astray.refusal
    agent.set_reward(None)
    assert len(decide(agent).candidates) == 1 and not decide(agent).refusal


def test_an_actor_that_alone_proposes_is_judged_once(agent: DvfAgent, monkeypatch: pytest.MonkeyPatch) -> None:
    agent.configure(replace(CONFIG.decision, policy="actor"))
    expected = decide(agent)
    monkeypatch.setattr(agent.support, "holds", lambda spread, rate: torch.zeros(len(spread), dtype=torch.bool))
    agent.configure(replace(CONFIG.decision, policy="actor", unsupported="actor"))
    np.testing.assert_array_equal(decide(agent).values, expected.values)


def test_the_value_heads_score_unless_a_reward_is_written(agent: DvfAgent) -> None:
    agent.configure(replace(CONFIG.decision, scoring="heads"))
    first, second = decide(agent), agent.decide(STATE, np.random.default_rng(0))
    np.testing.assert_array_equal(first.scores, second.scores)
    assert (first.standard_error == 0).all() and np.isfinite(first.scores).all()
    agent.set_reward(parse_expression("position.x", agent.spec))
    assert (decide(agent).standard_error > 0).all()
    agent.set_reward(None)


@pytest.mark.parametrize("scoring", ["heads", "both"])
def test_heads_that_know_the_mixture_have_no_say_in_the_best_behaviors_value(agent: DvfAgent, scoring: str) -> None:
    agent.configure(replace(CONFIG.decision, behavior="max", scoring="futures"))
    expected = decide(agent)
    agent.configure(replace(CONFIG.decision, behavior="max", scoring=scoring))
    np.testing.assert_array_equal(decide(agent).scores, expected.scores)
    assert not agent.uses_heads and (decide(agent).standard_error > 0).all()


def test_both_take_the_level_from_the_heads_and_the_differences_from_either(agent: DvfAgent) -> None:
    found = {}
    for scoring in ("futures", "heads", "both"):
        agent.configure(replace(CONFIG.decision, scoring=scoring))
        found[scoring] = decide(agent)
    futures, heads, both = (found[scoring].values for scoring in ("futures", "heads", "both"))
    assert both.mean() == pytest.approx(heads.mean(), rel=1e-4)
    spread = SAMPLED * (futures - futures.mean()) + (1 - SAMPLED) * (heads - heads.mean())
    np.testing.assert_allclose(both - both.mean(), spread, atol=1e-4)
    np.testing.assert_allclose(found["both"].standard_error, SAMPLED * found["futures"].standard_error, rtol=1e-5)


def test_best_behavior_is_at_least_as_good_as_each(agent: DvfAgent, monkeypatch: pytest.MonkeyPatch) -> None:
    agent.configure(replace(CONFIG.decision, behavior="max", pessimism=0.0, scoring="futures"))
    best = decide(agent).values
    agent.configure(replace(CONFIG.decision, pessimism=0.0, scoring="futures"))
    for index in range(len(agent.behavior_names)):
        monkeypatch.setattr(agent.occupancy, "dropped", index)
        assert (decide(agent).values <= best + 1e-4).all()


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (np.zeros(6), r"expected a state of shape \(7,\), found \(6,\)"),
        (np.where(np.arange(7) == 1, np.nan, STATE), r"NaN or Inf in position\.y"),
        (np.zeros(7), "'orientation'"),
    ],
)
def test_a_state_that_cannot_be_is_refused_by_name(agent: DvfAgent, state: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        agent.decide(state, np.random.default_rng(0))


def test_deciding_keeps_no_graph(agent: DvfAgent) -> None:
    assert not any(parameter.requires_grad for parameter in agent.parameters())
