"""Actions that were not recorded are read off the motion, where motion tells; and refused where it does not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from dvf_ros.data.dataset import Dataset, DatasetError
from dvf_ros.learning import inverse_dynamics
from dvf_ros.learning.inverse_dynamics import _explained, label_actions
from dvf_ros.learning.training import train
from tests.learning.small import CONFIG, SPEC, episode

CPU = torch.device("cpu")
LABELLED = 10


@pytest.fixture(autouse=True)
def _few_updates(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system is linear: it takes no more."""
    monkeypatch.setattr(inverse_dynamics, "UPDATES", 300)


def dataset(known: int = LABELLED, episodes: int = 60) -> Dataset:
    """Episodes in which each step is 0.2 times the action; the first `known` have their actions recorded."""
    made = [episode(seed, "ab"[seed % 2]) for seed in range(episodes)]
    return Dataset.from_episodes(
        SPEC, [e if k < known else replace(e, action_mask=e.action_mask & False) for k, e in enumerate(made)]
    )


def test_hidden_actions_are_those_that_were_taken_and_recorded_ones_stay() -> None:
    data = dataset()  # hidden actions are masked, but their numbers are there to compare with
    found = label_actions(data, 0, CPU)
    hidden = ~data.action_mask
    hidden[data.episode_start + data.episode_length - 1] = False
    assert found.frames == hidden.sum()
    assert (found.explained > 0.95).all(), found.explained
    error = found.dataset.actions[hidden] - data.actions[hidden]
    assert np.sqrt(np.square(error).mean()) < 0.2 * data.actions[hidden].std()
    np.testing.assert_array_equal(found.dataset.actions[data.action_mask], data.actions[data.action_mask])
    assert (found.dataset.action_mask == data.action_mask | hidden).all(), "an episode's last frame has no action"
    assert not data.action_mask[hidden].any(), "the dataset that was given stays as it is"


def test_labels_stay_within_the_recorded_range_and_repeat_to_the_bit() -> None:
    data = dataset()
    first, again = label_actions(data, 0, CPU), label_actions(data, 0, CPU)
    np.testing.assert_array_equal(first.dataset.actions, again.dataset.actions)
    known = data.actions[data.action_mask]
    assert (first.dataset.actions >= known.min(axis=0)).all() and (first.dataset.actions <= known.max(axis=0)).all()


def test_actions_that_states_do_not_tell_are_refused() -> None:
    data = dataset()
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, data.actions.shape).astype(np.float32)
    with pytest.raises(DatasetError, match=r"no better than the mean action; train without"):
        label_actions(replace(data, actions=noise), 0, CPU)


def test_an_axis_that_only_jitters_does_not_condemn_the_others() -> None:
    data = dataset()
    actions = np.array(data.actions)
    actions[:, 2] = 1e-5 * np.random.default_rng(0).standard_normal(data.frames)
    actions[0, 2] = 0.5  # moved once: the model may well be wrong by more than the jitter elsewhere
    found = label_actions(replace(data, actions=actions), 0, CPU)
    assert np.isnan(found.explained[2]) and (found.explained[:2] > 0.9).all()
    assert found.metrics["inverse_dynamics/explained"] == found.share > 0.9


def test_each_axis_counts_by_how_much_it_usually_moves() -> None:
    rng = np.random.default_rng(0)
    actions = rng.normal(size=(1000, 3)) * [1.0, 1e-3, 1e-6]
    wrong = rng.normal(size=(1000, 3)) * [0.1, 1e-2, 1.0]
    explained, share = _explained(actions, actions + wrong, np.array([1.0, 1.0, 1.0]))
    assert explained[0] == pytest.approx(0.99, abs=0.003) and explained[1] < -50 and np.isnan(explained[2])
    assert share == pytest.approx(0.99, abs=0.003)
    _, equal = _explained(actions, actions + wrong, np.array([1.0, 1e-3, 1.0]))
    assert equal == pytest.approx(1 - (0.01 + 100) / 2, rel=0.1)


def test_actions_that_never_change_are_refused_in_words() -> None:
    data = dataset()
    with pytest.raises(DatasetError, match="expected actions that change in episodes held out, found none there"):
        label_actions(replace(data, actions=np.full_like(data.actions, 0.1)), 0, CPU)


@pytest.mark.parametrize("known", [0, 1])
def test_too_few_recorded_actions_are_refused(known: int) -> None:
    with pytest.raises(DatasetError, match=f"at least two episodes, found them in {known}"):
        label_actions(dataset(known), 0, CPU)


def test_training_says_how_far_labels_can_be_trusted() -> None:
    settings = replace(CONFIG.training, label_actions=True)
    _, history = train(dataset(), replace(CONFIG, training=settings))
    assert history[0]["inverse_dynamics/explained"] > 0.9 and history[0]["inverse_dynamics/frames"] == 50 * 19
