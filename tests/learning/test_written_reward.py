"""Written rewards: one occupancy, unchanged, valued by any of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from dvf_ros.core.expression import Expression, ExpressionError
from dvf_ros.core.expression_parsing import parse_expression
from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.report.returns import recorded_rewards
from dvf_ros.learning.training import train
from dvf_ros.learning.written_reward import FARTHEST, ExpressionReward
from tests.learning.small import CONFIG, SPEC, dataset

STATE = np.array([0.1, 0.2, -0.3, 0, 0, 0, 1], np.float32)
LONGEST = 1 / (1 - CONFIG.training.discount)


def written(text: str) -> Expression:
    return parse_expression(text, SPEC)


@pytest.fixture(scope="module")
def trained() -> DvfAgent:
    return train(dataset(), CONFIG)[0]


@pytest.fixture
def agent(trained: DvfAgent) -> Iterator[DvfAgent]:
    trained.configure(CONFIG.decision)
    yield trained
    trained.set_reward(None)


def value(agent: DvfAgent) -> float:
    return agent.value(STATE, np.random.default_rng(0))[0]


def test_rewards_are_of_states_in_the_units_of_the_spec(agent: DvfAgent) -> None:
    states = torch.from_numpy(dataset().states[:12].reshape(3, 4, 7).copy())
    reward = ExpressionReward(written("position.x + 2 * position.z"), agent.encoder)
    expected = states[..., 0] + 2 * states[..., 2]
    torch.testing.assert_close(reward.predict(agent.encoder.encode(states)), expected[None], rtol=1e-4, atol=1e-4)


def test_only_the_fields_that_are_read_are_decoded(agent: DvfAgent) -> None:
    encoded = agent.encoder.encode(torch.from_numpy(STATE))
    part = agent.encoder.decode(encoded, ("position",))
    torch.testing.assert_close(part[:3], torch.from_numpy(STATE[:3]))
    assert part.shape == (7,) and part[3:].isnan().all()
    turned = ExpressionReward(written("angle(orientation, [0, 0, 0, 1])"), agent.encoder)
    assert float(turned.predict(encoded)) == pytest.approx(0, abs=2e-3)


def test_an_agent_without_a_learned_reward_says_so(agent: DvfAgent, monkeypatch: pytest.MonkeyPatch) -> None:
    assert agent.reward_summary == "the learned reward, from 0 to 1"
    monkeypatch.setattr(agent.reward, "upper", torch.zeros(()))
    assert agent.reward_summary == "the agent has learned no reward: every state counts 0"
    assert not agent.rewarded and agent.reward_name == "none"


def test_an_agent_without_any_reward_refuses_to_choose(agent: DvfAgent, monkeypatch: pytest.MonkeyPatch) -> None:
    def refusal() -> str:
        return agent.decide(STATE, np.random.default_rng(0)).refusal

    assert refusal() == ""
    monkeypatch.setattr(agent.reward, "upper", torch.zeros(()))
    assert refusal().startswith("no reward: none was learned and none is set; call ~/set_reward")
    agent.configure(replace(CONFIG.decision, policy="prior"))
    assert refusal() == "", "the prior does what was done, whatever for"
    agent.configure(CONFIG.decision)
    agent.set_reward(written("position.x"))
    assert refusal() == ""


def test_a_cost_of_time_is_a_reward_although_it_is_the_same_everywhere(
    agent: DvfAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("lower", "upper"):
        monkeypatch.setattr(agent.reward, name, torch.tensor(-1.0))
    assert agent.reward_summary == "the learned reward, everywhere -1 until the end"
    assert agent.reward.learned


def test_a_sure_reward_is_worth_the_sum_of_its_discounts(agent: DvfAgent, monkeypatch: pytest.MonkeyPatch) -> None:
    def alive(state: torch.Tensor, offset: torch.Tensor, behavior: torch.Tensor, noise: torch.Tensor, steps: int):
        stays = state + torch.zeros_like(noise[..., :-1])
        return torch.cat([stays, -torch.ones_like(stays[..., :1])], dim=-1)

    for occupancy in (agent.occupancy, agent.one_step_occupancy):
        monkeypatch.setattr(occupancy, "sample", alive)
    agent.set_reward(written("norm(position) < 1000000"))
    assert value(agent) == pytest.approx(LONGEST, rel=1e-5)
    agent.set_reward(written("norm(position) < 0"))
    assert value(agent) == 0


def test_the_value_is_linear_in_the_reward(agent: DvfAgent) -> None:
    values = []
    for text in ("position.x", "position.y", "3 * position.x - position.y"):
        agent.set_reward(written(text))
        values.append(value(agent))
    assert values[2] == pytest.approx(3 * values[0] - values[1], abs=1e-3)


def test_opposite_rewards_choose_opposite_candidates(agent: DvfAgent) -> None:
    decisions = []
    for text in ("position.x", "-position.x"):
        agent.set_reward(written(text))
        decisions.append(agent.decide(STATE, np.random.default_rng(0)))
    right, left = decisions
    np.testing.assert_array_equal(right.candidates, left.candidates)
    np.testing.assert_allclose(right.values, -left.values, rtol=1e-4)
    assert left.chosen == right.values.argmin() and right.chosen == right.values.argmax()
    assert (right.disagreement == 0).all()


def test_a_change_of_reward_changes_no_weight_and_can_be_taken_back(agent: DvfAgent) -> None:
    before = {name: tensor.clone() for name, tensor in agent.state_dict().items()}
    learned = agent.decide(STATE, np.random.default_rng(0))
    agent.set_reward(written("position.x > 0"))
    agent.decide(STATE, np.random.default_rng(0))
    after = agent.state_dict()
    assert before.keys() == after.keys()
    for name, tensor in before.items():
        assert torch.equal(tensor, after[name]), name
    agent.set_reward(None)
    np.testing.assert_array_equal(agent.decide(STATE, np.random.default_rng(0)).scores, learned.scores)


def test_a_state_far_from_all_data_earns_no_more_than_the_edge(agent: DvfAgent) -> None:
    reward = ExpressionReward(written("exp(position.x)"), agent.encoder)
    edge = torch.full((1, agent.encoder.size), FARTHEST)
    assert torch.equal(reward.predict(edge * 1000), reward.predict(edge))


def test_the_range_on_recorded_states_is_known(agent: DvfAgent) -> None:
    reward = ExpressionReward(written("position.x > 0"), agent.encoder)
    assert (reward.low, reward.high) == (0, 1)


def test_a_flag_that_was_hardly_ever_up_is_rewarded_where_it_is_predicted() -> None:
    states = np.tile(STATE, (1000, 1))
    states[700, 1] = 1.0  # 32 standard deviations from its mean
    agent = DvfAgent(SPEC, (), 10, CONFIG.training, CONFIG.decision)
    agent.encoder.fit(states)
    reward = ExpressionReward(written("position.y > 0.9"), agent.encoder)
    assert (reward.low, reward.high) == (0, 1)
    predicted = agent.encoder.encode(torch.from_numpy(states[[699, 700]]))
    assert reward.predict(predicted).tolist() == [[0, 1]]
    assert torch.equal(reward.predict(predicted * 1000), reward.predict(predicted))


def test_what_was_recorded_earns_what_it_is_however_far_it_lies_from_the_rest() -> None:
    data = dataset(13)  # 260 frames
    states = np.array(data.states)
    states[100, 0] = 1e4  # one in 250 frames lies 16 standard deviations away
    data = replace(data, states=states)
    agent = DvfAgent(SPEC, data.behavior_names, 10, CONFIG.training, CONFIG.decision)
    agent.encoder.fit(states)
    agent.set_reward(written("position.x"))
    rewards = recorded_rewards(agent, data)
    np.testing.assert_array_equal(rewards.reward[rewards.mask], states[1:, 0][rewards.mask[:-1]])
    assert rewards.reward[99] == 1e4 and rewards.mask.sum() == data.frames - data.episodes


def test_a_recorded_rotation_earns_the_same_by_either_of_its_quaternions(agent: DvfAgent) -> None:
    states = np.array(dataset().states)
    states[::2, 3:] *= -2.0
    agent.set_reward(written("orientation.z"))
    turned, usual = (recorded_rewards(agent, data) for data in (replace(dataset(), states=states), dataset()))
    np.testing.assert_allclose(turned.reward, usual.reward, atol=1e-6)


def test_a_recorded_state_without_a_value_has_no_known_reward(agent: DvfAgent) -> None:
    states = np.array(dataset().states)
    states[30, 0] = 1e4
    agent.set_reward(written("exp(position.x)"))
    rewards = recorded_rewards(agent, replace(dataset(), states=states))
    assert not rewards.mask[29] and rewards.mask[28] and np.isfinite(rewards.reward).all()


@pytest.mark.parametrize("text", ["sqrt(-abs(position.x))", "1 / (position.x - position.x)"])
def test_a_reward_without_a_value_is_refused_and_the_old_one_stays(agent: DvfAgent, text: str) -> None:
    agent.set_reward(written("position.x"))
    with pytest.raises(ExpressionError, match="is NaN or Inf on states like the recorded ones"):
        agent.set_reward(written(text))
    assert agent.written is not None and agent.written.expression.text == "position.x"


@pytest.mark.parametrize("text", ["where(1 < 2, position.x, 3)", "max(position.x, -3e38)", "[position.x, 1][0]"])
def test_constants_in_it_are_no_trouble(agent: DvfAgent, text: str) -> None:
    agent.set_reward(written(text))
    assert agent.written is not None and agent.written.predict(torch.zeros(5, agent.encoder.size)).shape == (1, 5)


@pytest.mark.parametrize("text", ["where(1 < 2, 3, position.x)", "[position.x, 1][1]", "min(position.x, 1e39)"])
def test_what_torch_cannot_compute_is_refused_with_the_error_that_the_controller_answers(text: str) -> None:
    with pytest.raises(ExpressionError, match=r"depends on the state|float32 holds"):
        written(text)
