"""What the outcome topic says of a bag's ticks: rewards, success, and where an episode ends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dvf_ros.core.alignment import Aligner, Sample
from dvf_ros.core.spec import Source


@dataclass(frozen=True)
class Verdict:
    """What was said at a tick. `known` is whether anything was, `ends` why the episode is over, if it is.

    `new` is whether nobody has counted it yet. `reward` and `success` are None where they are not known; a reward is
    known once.
    """

    known: bool = False
    new: bool = False
    ends: tuple[str, ...] = ()
    reward: float | None = None
    success: bool | None = None


class Outcomes:
    """Holds what the outcome topic said; without one, nothing is ever known. `aligner` takes its messages in."""

    def __init__(self, source: Source | None, reach: float) -> None:
        """`reach` (s) is how far back ticks may be asked for."""
        self.aligner = Aligner((source,) if source else (), reach)
        fields = source.fields if source else ()
        starts = np.cumsum([0, *(item.size for item in fields)]).tolist()
        self._index = {item.name: start for item, start in zip(fields, starts[:-1], strict=True)}
        self._counted = 0  # stamp of the outcome that was asked for last

    def clear(self) -> None:
        """Forget everything: time begins anew."""
        self.aligner.clear()
        self._counted = 0

    def at(self, tick: int) -> Verdict:
        """What is said at `tick` (ns); ticks are asked for in their order, each once."""
        sample = self.aligner.sample(tick)
        if not self._index or not sample.valid:
            return Verdict()
        stamp = tick - round(sample.ages[0] * 1e9)
        new, self._counted = stamp != self._counted, stamp
        return Verdict(
            known=True,
            new=new,
            ends=tuple(name for name in ("terminated", "truncated") if self._said(name, sample)),
            reward=self._reward(sample) if new else None,
            success=self._said("success", sample),
        )

    def _said(self, name: str, sample: Sample) -> bool | None:
        return bool(sample.values[self._index[name]] > 0.5) if name in self._index else None

    def _reward(self, sample: Sample) -> float | None:
        reward = float(sample.values[self._index["reward"]]) if "reward" in self._index else np.nan
        return reward if np.isfinite(reward) else None
