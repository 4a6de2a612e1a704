"""Datasets for tests of formats: any labels, gaps in actions and rewards, whatever a conversion could give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dvf_ros.core.spec import RobotSpec
from dvf_ros.data.dataset import ARRAYS, Dataset, DatasetWriter, Episode, about_episode
from tests.data.bag_making import SPEC, START

NUMBERS = st.floats(-1e6, 1e6, width=32)
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=8)


@st.composite
def episodes(draw: st.DrawFn, spec: RobotSpec = SPEC, shortest: int = 1) -> Episode:
    length = draw(st.integers(shortest, 12))
    inner = np.arange(length) < length - 1
    action_mask = draw(hnp.arrays(bool, length)) & inner
    reward_mask = draw(hnp.arrays(bool, length)) & inner
    actions = draw(hnp.arrays(np.float32, (length, spec.action_size), elements=NUMBERS))
    rewards = draw(hnp.arrays(np.float32, length, elements=NUMBERS))
    terminated = draw(st.booleans())
    states = draw(hnp.arrays(np.float32, (length, spec.state_size), elements=NUMBERS))
    for piece in spec.state_layout:
        if piece.kind == "quaternion":  # messages hold rotations only
            turns = states[:, piece.start : piece.stop]
            turns[~turns.any(axis=1)] = [0, 0, 0, 1]
            turns /= np.linalg.norm(turns.astype(np.float64), axis=1, keepdims=True)  # tiny numbers, too
    return Episode(
        states=states,
        actions=np.where(action_mask[:, None], actions, np.float32(0)),
        action_mask=action_mask,
        rewards=np.where(reward_mask, rewards, np.float32(0)),
        reward_mask=reward_mask,
        stamps=START + np.arange(length, dtype=np.int64) * spec.period_ns,
        behavior=draw(NAMES),
        success=draw(st.sampled_from([True, False, None])),
        terminated=terminated,
        truncated=not terminated,
        source=draw(NAMES),
        source_digest=draw(st.text("0123456789abcdef", min_size=1, max_size=8)),
        quality=draw(st.dictionaries(st.sampled_from(["age_max", "age_mean"]), st.floats(0, 1))),
    )


def datasets(spec: RobotSpec = SPEC, shortest: int = 1) -> st.SearchStrategy[Dataset]:
    return st.lists(episodes(spec, shortest), min_size=1, max_size=4).map(
        lambda made: Dataset.from_episodes(spec, made)
    )


def assert_same(one: Episode, two: Episode) -> None:
    """Every bit of the numbers, every word about them."""
    for name in ARRAYS:
        first, second = np.asarray(getattr(one, name)), np.asarray(getattr(two, name))
        assert (first.dtype, first.shape, first.tobytes()) == (second.dtype, second.shape, second.tobytes()), name
    assert about_episode(one) == about_episode(two)


def write_dataset(folder: Path, dataset: Dataset) -> Path:
    writer = DatasetWriter(folder, dataset.spec)
    for index in range(dataset.episodes):
        writer.append(dataset.episode(index))
    writer.close()
    return folder
