"""A dataset with most of its labels hidden: every state stays, a few actions and rewards do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from dvf_ros.data.dataset import Dataset, DatasetWriter


def scarce_dataset(folder: Path, full: Dataset, share: float, frames: int, seed: int) -> Dataset:
    """The dataset in `folder`, made first where there is none: see `hidden`.

    Raises ValueError where other labels are known there.
    """
    kept = hidden(full, share, frames, seed)
    if not (folder / "episodes.parquet").exists():
        writer = DatasetWriter(folder, kept.spec)
        for index in range(kept.episodes):
            writer.append(kept.episode(index))
        writer.close()
    found = Dataset.open(folder)
    for name in ("action_mask", "reward_mask"):
        if not np.array_equal(getattr(found, name), getattr(kept, name)):
            raise ValueError(f"'{folder}': expected the {name} of these settings, found another; remove it")
    return found


def hidden(full: Dataset, share: float, frames: int, seed: int) -> Dataset:
    """The dataset with actions in a `share` of its episodes and rewards on so many single frames.

    Episodes are drawn among those that succeed at their last step and among the others, in proportion. Of the frames
    half have a reward and half have none, or as many as there are: of a sparse reward few frames say anything, and
    whoever labels by hand picks them.
    """
    rng = np.random.default_rng(seed)
    last = full.episode_start + full.episode_length - 2
    succeeds = full.rewards[last] > 0.0
    with_actions = np.zeros(full.episodes, bool)
    for group in (np.flatnonzero(succeeds), np.flatnonzero(~succeeds)):
        with_actions[rng.permutation(group)[: round(share * len(group))]] = True
    rewarding, others = (np.flatnonzero(full.reward_mask & (full.rewards > 0.0) == wanted) for wanted in (True, False))
    others = others[full.reward_mask[others]]
    some = rng.permutation(rewarding)[: frames // 2]
    reward_mask = np.zeros(full.frames, bool)
    reward_mask[some] = reward_mask[rng.permutation(others)[: frames - len(some)]] = True
    action_mask = full.action_mask & np.repeat(with_actions, full.episode_length)
    return replace(
        full,
        action_mask=action_mask,
        actions=np.where(action_mask[:, None], full.actions, np.float32(0.0)),
        reward_mask=reward_mask,
        rewards=np.where(reward_mask, full.rewards, np.float32(0.0)),
    )
