"""What no learner and no report can use, said before anybody tries; and what they can, but should mention."""

from __future__ import annotations

import numpy as np

from dvf_ros.data.dataset import Dataset, DatasetError

MOVES = 1e-4
"""A number whose recorded range is smaller never moves, but for its noise."""
SMALLEST_QUATERNION = 1e-6
SCARCE = 0.5
"""Share of frames below which labels are few enough to be mentioned."""


def require_usable(dataset: Dataset) -> None:
    """Raise DatasetError for numbers that are not finite, and rotations that are none.

    And for an action or a reward of an episode's last frame: either belongs to the state after, which another one has.
    """
    _require_finite(dataset)
    _require_states_after(dataset)
    for piece in dataset.spec.state_layout:
        if piece.kind != "quaternion":
            continue
        norm = np.linalg.norm(dataset.states[:, piece.start : piece.stop], axis=1)
        if (norm < SMALLEST_QUATERNION).any():
            raise DatasetError(
                f"'{piece.name}': expected quaternions xyzw, found one of length zero in "
                f"{_place(dataset, int(np.argmin(norm)))}; convert anew without the frames whose rotation is not known"
            )


def remarks(dataset: Dataset) -> list[str]:
    """What can be learned from all the same, but not as usual, a sentence each."""
    found = []
    if dataset.episodes == 1:
        found.append("One episode only: nothing tells what the robot does from what it did this once.")
    if not dataset.reward_mask.any():
        found.append("No reward is known: nothing predicts one. Write one by hand where values are asked for.")
    elif not dataset.rewards[dataset.reward_mask].any():
        found.append(
            "All known rewards are 0: nothing tells good from bad. Write a reward by hand where values are asked for"
            " (--reward, or ~/set_reward of the controller), or record an outcome whose reward says what is good."
        )
    found += _scarcity(dataset)
    still = np.flatnonzero(~moving(dataset))
    if len(still):
        names = ", ".join(dataset.spec.state_names[i] for i in still)
        found.append(f"These numbers never move: {names}. Nothing can be learned from or about them.")
    return found


def _scarcity(dataset: Dataset) -> list[str]:
    """How few actions and rewards are known, where most are not."""
    found = []
    for what, mask in (("Actions", dataset.action_mask), ("Rewards", dataset.reward_mask)):
        episodes = int(np.logical_or.reduceat(mask, dataset.episode_start).sum()) if mask.any() else 0
        known, possible = int(mask.sum()), dataset.frames - dataset.episodes
        if 0 < known < SCARCE * possible:
            found.append(
                f"{what} are known in {known} of {possible} frames, in {episodes} of {dataset.episodes} episodes."
            )
    return found


def moving(dataset: Dataset) -> np.ndarray:
    """(D,) bool: which numbers of the state ever move."""
    return np.ptp(dataset.states, axis=0) > MOVES


def _require_finite(dataset: Dataset) -> None:
    spec = dataset.spec
    for what, array, names, mask in (
        ("state", dataset.states, spec.state_names, np.ones(dataset.frames, bool)),
        ("action", dataset.actions, spec.action_names, dataset.action_mask),
        ("reward", dataset.rewards[:, None], ("reward",), dataset.reward_mask),
    ):
        bad = ~np.isfinite(array) & mask[:, None]
        if bad.any():
            frame, number = (int(i) for i in np.argwhere(bad)[0])
            raise DatasetError(
                f"expected finite numbers, found {array[frame, number]} in the {what}'s '{names[number]}', "
                f"{_place(dataset, frame)}, and the like in {bad.any(axis=1).sum()} frames in all; convert anew "
                "without those bags, or mask what is not known"
            )


def _require_states_after(dataset: Dataset) -> None:
    last = dataset.episode_start + dataset.episode_length - 1
    for what, mask in (("action", dataset.action_mask), ("reward", dataset.reward_mask)):
        labelled = last[np.asarray(mask)[last]]
        if len(labelled):
            raise DatasetError(
                f"expected no {what} in the last frame of an episode, for it leads to a state that was not recorded; "
                f"found one in {_place(dataset, int(labelled[0]))}, and the like in {len(labelled)} episodes in all; "
                f"set {what}_mask to false there"
            )


def _place(dataset: Dataset, frame: int) -> str:
    episode = int(np.searchsorted(dataset.episode_start, frame, side="right")) - 1
    return f"frame {frame - dataset.episode_start[episode]} of episode {episode} ('{dataset.source[episode]}')"
