"""The frames of the episode that is being read, in arrays that grow."""

from __future__ import annotations

from typing import Any

import numpy as np

from dvf_ros.core.alignment import Sample
from dvf_ros.core.spec import RobotSpec
from dvf_ros.data.dataset import ARRAYS

FIRST = 256  # frames that there is room for at first


class FrameBuffer:
    """Frames of one episode: about as many bytes a frame as the dataset holds, however long it gets."""

    def __init__(self, spec: RobotSpec) -> None:
        shapes = {"states": (spec.state_size,), "actions": (spec.action_size,)}
        self._arrays = {name: np.zeros((FIRST, *shapes.get(name, ())), dtype) for name, dtype in ARRAYS.items()}
        self._sources = max(len(spec.state), 1)
        self.clear()

    def __len__(self) -> int:
        return self._length

    def clear(self) -> None:
        """Forget all frames."""
        self._length = 0
        self._age_sum = self._age_max = 0.0
        self._interpolated = 0
        self._said: list[bool] = []

    @property
    def start(self) -> int:
        """Stamp (ns) of the first frame."""
        return int(self._arrays["stamps"][0])

    @property
    def success(self) -> bool | None:
        """Whether the outcome said success at any frame; None where it never said anything."""
        return any(self._said) if self._said else None

    def append(self, sample: Sample, success: bool | None) -> None:
        """Add a frame; what led to it is said by `answer`, before."""
        place = self._length
        if place == len(self._arrays["states"]):
            self._arrays = {name: np.concatenate([array, np.zeros_like(array)]) for name, array in self._arrays.items()}
        arrays = self._arrays
        arrays["states"][place] = sample.values
        arrays["stamps"][place] = sample.stamp
        for name in ("actions", "action_mask", "rewards", "reward_mask"):
            arrays[name][place] = 0
        self._length += 1
        self._age_sum += sum(sample.ages)
        self._age_max = max(self._age_max, *sample.ages)
        self._interpolated += len(sample.interpolated)
        if success is not None and success not in self._said:
            self._said.append(success)

    def answer(self, action: np.ndarray | None, reward: float | None) -> None:
        """What followed the newest frame: the action taken in it (A,), the reward on arrival; None: not known."""
        place = self._length - 1
        if action is not None:
            self._arrays["actions"][place], self._arrays["action_mask"][place] = action, True
        if reward is not None:
            self._arrays["rewards"][place], self._arrays["reward_mask"][place] = reward, True

    def copy(self) -> dict[str, np.ndarray]:
        """The arrays of an Episode."""
        return {name: array[: self._length].copy() for name, array in self._arrays.items()}

    def quality(self, lost: int) -> dict[str, Any]:
        """Figures of the episode, `lost` ticks before it having been no frames: see the README."""
        length, values = self._length, self._length * self._sources
        steps = max(length - 1, 1)
        return {
            "ticks_dropped": lost / (lost + length),
            "age_mean": self._age_sum / values,
            "age_max": float(self._age_max),
            "interpolated": self._interpolated / values,
            "action_coverage": float(self._arrays["action_mask"][:length].sum() / steps),
            "reward_coverage": float(self._arrays["reward_mask"][:length].sum() / steps),
        }
