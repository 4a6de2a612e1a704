"""Training: reproducible, resumable, fair to gaps in the data, and clear about data that cannot do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dvf_ros.core.parsing import ConfigError
from dvf_ros.core.spec import RobotSpec
from dvf_ros.data.dataset import Dataset, DatasetError
from dvf_ros.learning import training
from dvf_ros.learning.batches import Batches
from dvf_ros.learning.checkpoint import load_training, save_training
from dvf_ros.learning.config import TrainingConfig
from dvf_ros.learning.dynamics import Dynamics
from dvf_ros.learning.encoding import StateEncoder
from dvf_ros.learning.reward import RewardEnsemble
from dvf_ros.learning.training import Training, train
from tests.learning.small import CONFIG, SPEC, dataset, episode
from tests.learning.systems import Chain


def batches(data: Dataset, config: TrainingConfig = CONFIG.training) -> Batches:
    encoder = StateEncoder(data.spec.state_layout)
    encoder.fit(data.states)
    return Batches(data, encoder, config, torch.device("cpu"))


def test_the_same_seed_trains_the_same_weights() -> None:
    first, history = train(dataset(), CONFIG)
    second, _ = train(dataset(), CONFIG)
    other, _ = train(dataset(), replace(CONFIG, training=replace(CONFIG.training, seed=1)))
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name]), name
    assert not torch.equal(first.occupancy.net.out.weight, other.occupancy.net.out.weight)
    assert [entry["update"] for entry in history] == [30, 35, 40]
    assert {"occupancy/loss", "dynamics/loss", "prior/loss", "reward/loss"} <= history[0].keys()
    assert {"one_step_occupancy/loss", "one_step_prior/loss"} <= history[1].keys()
    assert {"value_heads/loss", "actor/loss"} <= history[2].keys()


def test_a_run_that_was_cut_ends_with_the_same_bits(tmp_path: Path) -> None:
    whole = Training(dataset(), CONFIG)
    for _ in range(20):
        whole.update()
    first = Training(dataset(), CONFIG)
    for _ in range(10):
        first.update()
    save_training(first, tmp_path / "run.safetensors")
    second = Training(dataset(), CONFIG)
    load_training(second, tmp_path / "run.safetensors")
    for _ in range(10):
        second.update()
    for name, value in whole.state_dict().items():
        assert torch.equal(value, second.state_dict()[name]), name


@pytest.mark.parametrize("occupancy", ["monte_carlo", "bootstrapped"])
def test_a_batch_of_one_is_a_batch(occupancy: str) -> None:
    settings = replace(CONFIG.training, batch=1, occupancy=occupancy, updates=10)
    _, history = train(dataset(), replace(CONFIG, training=settings))
    assert all(np.isfinite(number) for entry in history for number in entry.values())


def test_numbers_too_small_to_matter_count_as_zero_while_it_trains_and_not_after() -> None:
    small, seen = torch.tensor(1e-38), []
    train(dataset(), CONFIG, lambda *_: seen.append(float(small * 0.1)))
    assert seen and not any(seen), "a trained reward's gradients are full of them, and a CPU takes long over each"
    assert float(small * 0.1) > 0.0, "it is the processor's mode: whoever computes next has it too"


def test_training_lowers_every_loss() -> None:
    config = replace(
        CONFIG, training=replace(CONFIG.training, updates=300, sampler_distillation=0, distillation=0, width=32)
    )
    history: list[dict] = []
    train(dataset(), config, lambda update, metrics: history.append(metrics))
    for name in ("occupancy/loss", "dynamics/loss", "prior/loss", "reward/loss"):
        assert history[-1][name] < history[0][name], name


def test_chunks_are_recorded_ones_in_order_and_cross_no_episode() -> None:
    data = dataset()
    drawn = batches(data)
    state, chunk, after = drawn.chunks(np.random.default_rng(0), 500)
    for row in range(500):
        frame = int((drawn.states == state[row]).all(dim=1).nonzero()[0])
        assert data.action_mask[frame : frame + 4].all()
        np.testing.assert_array_equal(chunk[row], data.actions[frame : frame + 4])
        assert torch.equal(after[row], drawn.states[frame + 4])
        assert frame // 20 == (frame + 4) // 20


def test_a_reward_belongs_to_the_state_that_was_reached() -> None:
    data = dataset()
    state, reward = batches(data).rewarded(np.random.default_rng(0), 500)
    encoder = StateEncoder(SPEC.state_layout)
    encoder.fit(data.states)
    np.testing.assert_array_equal(encoder.decode(state)[:, 0] > 0, reward > 0.5)


def test_the_terminal_bit_is_set_past_the_last_state_and_not_on_it() -> None:
    chain = Chain()
    drawn = batches(chain.dataset(200, seed=0), TrainingConfig(chunk=1, discount=0.9))
    state, offset, future, _ = drawn.pairs(np.random.default_rng(0), 4000)
    goal = drawn.states[int(np.argmax((chain.dataset(200, seed=0).states == chain.embedding[-1]).all(axis=1)))]
    at_goal = (future[:, :-1] == goal).all(dim=1)
    ended = future[:, -1] == 1
    assert (at_goal & ~ended).any(), "arriving at the goal still earns its reward"
    assert ended.any() and at_goal[ended].all()
    from_goal = (state == goal).all(dim=1)
    assert from_goal.any() and ended[from_goal].all()
    assert ((future[:, -1] == -1) | ended).all() and (offset >= 1).all()


def test_data_that_cannot_do_is_refused_with_the_way_out() -> None:
    mute = Dataset.from_episodes(SPEC, [replace(episode(0, "a"), action_mask=np.zeros(20, bool))])
    with pytest.raises(DatasetError, match=r"4 known actions in a row.*lower 'chunk', or.* action: \[\]"):
        Training(mute, CONFIG)


def test_without_a_label_all_but_the_reward_is_trained_and_states_are_worth_nothing() -> None:
    unpaid = Dataset.from_episodes(SPEC, [replace(episode(0, "a"), reward_mask=np.zeros(20, bool))])
    before = Training(unpaid, CONFIG).agent
    agent, history = train(unpaid, CONFIG)
    assert {"occupancy/loss", "dynamics/loss", "prior/loss"} <= history[0].keys()
    assert "reward/loss" not in history[0] and "value_heads/loss" not in history[-1]
    for name, value in agent.named_parameters():
        assert torch.equal(value, before.state_dict()[name]) == name.startswith(
            ("reward.", "value_heads.", "actor.")
        ), name
    value, error = agent.value(unpaid.states[0], np.random.default_rng(0))
    assert value == error == 0.0


@pytest.mark.parametrize("key", ["policy", "unsupported"])
def test_an_agent_may_decide_by_the_actor_that_it_has_just_learned(key: str) -> None:
    config = replace(CONFIG, decision=replace(CONFIG.decision, **{key: "actor"}))
    agent, _ = train(dataset(), config)
    usual, _ = train(dataset(), CONFIG)
    assert agent.decision == config.decision
    for name, value in usual.state_dict().items():
        assert torch.equal(value, agent.state_dict()[name]), name


@pytest.mark.parametrize(
    ("distillation", "labelled", "found"),
    [
        (0, True, "training.distillation 0"),
        (5, False, "a dataset without a known reward"),
        (0, False, "training.distillation 0 and a dataset without a known reward"),
    ],
)
def test_an_actor_that_nothing_would_teach_is_refused_before_anything_is_trained(
    monkeypatch: pytest.MonkeyPatch, distillation: int, labelled: bool, found: str
) -> None:
    monkeypatch.setattr(training, "Training", None)
    settings = replace(CONFIG.training, distillation=distillation)
    config = replace(CONFIG, training=settings, decision=replace(CONFIG.decision, policy="actor"))
    data = replace(dataset(), reward_mask=dataset().reward_mask & labelled)
    with pytest.raises(ConfigError, match=f"'policy': expected distillation and rewards.* found {found}; set"):
        train(data, config)


def test_members_of_the_dynamics_agree_on_their_data_and_not_far_from_it() -> None:
    config = replace(CONFIG, training=replace(CONFIG.training, updates=400, width=32))
    agent, _ = train(dataset(), config)
    drawn = batches(dataset())
    state, chunk, _ = drawn.chunks(np.random.default_rng(0), 50)
    near = agent.dynamics.predict(state, agent.normalise_action(chunk)).std(dim=0).mean()
    far = agent.dynamics.predict(state + 10, agent.normalise_action(chunk)).std(dim=0).mean()
    assert far > 2 * near


def test_dynamics_predict_residuals_in_their_scale() -> None:
    model = Dynamics(3, 2, CONFIG.training)
    model.residual_scale.fill_(0.5)
    state, chunk = torch.randn(5, 3), torch.randn(5, 4, 2)
    predicted = model.predict(state, chunk)
    stacked = [tensor.expand(3, *tensor.shape) for tensor in (state, chunk)]
    loss, _ = model.loss(*stacked, predicted)
    assert predicted.shape == (3, 5, 3)
    assert float(loss.detach()) == pytest.approx(0.0, abs=1e-10)
    shifted, _ = model.loss(*stacked, predicted + 0.5)  # one scale off in every dimension
    assert float(shifted.detach()) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("labels", [[-1.0, 3.0, 3.0], [0.0, 0.25, 2.0]])
def test_rewards_stay_within_what_was_seen(labels: list[float]) -> None:
    torch.manual_seed(0)
    model = RewardEnsemble(2, CONFIG.training)
    model.fit_range(torch.tensor(labels))
    assert bool(model.binary) == (len(set(labels)) == 2)
    predicted = model.predict(100 * torch.randn(4, 5, 2))
    assert predicted.shape == (3, 4, 5)
    assert predicted.min() >= min(labels) and predicted.max() <= max(labels)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("rewarded", [True, False])
def test_a_robot_that_is_only_watched_has_values(rewarded: bool) -> None:
    """A spec without an action: nothing can be proposed, and the value of whoever drives is there all the same."""
    data = dataset()
    spec = RobotSpec.parse(SPEC.text[: SPEC.text.index("action:")] + "action: []")
    nothing = np.zeros((data.frames, 0), np.float32)
    rewards = data.reward_mask if rewarded else np.zeros_like(data.reward_mask)
    watched = replace(data, spec=spec, actions=nothing, reward_mask=rewards)
    agent, history = train(watched, CONFIG)
    assert history[-1]["update"] >= CONFIG.training.updates
    assert all(np.isfinite(list(metrics.values())).all() for metrics in history)
    value, error = agent.value(data.states[0], np.random.default_rng(0))
    assert np.isfinite([value, error]).all() and (value > 0) == rewarded
