"""Align topics that report at their own rates to the ticks of one control clock. The same code live and offline."""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dvf_ros.core.spec import Source

DEPTH = 512
BACKWARD_JUMP_NS = 500_000_000


@dataclass(frozen=True)
class Sample:
    """All sources at one tick.

    `values` (D,) float32 is complete only if `valid`; a source that never reported counts as missing (its numbers
    are NaN), one whose newest value is older than its max_age as stale. `ages` (s) has one entry per source.
    """

    stamp: int
    values: np.ndarray
    ages: tuple[float, ...]
    missing: tuple[str, ...]
    stale: tuple[str, ...]

    @property
    def valid(self) -> bool:
        """Whether every source had a fresh value."""
        return not self.missing and not self.stale

    @property
    def problem(self) -> str:
        """Why the sample is not valid, for people; empty if it is."""
        parts = [f"no message yet on {', '.join(self.missing)}"] if self.missing else []
        parts += [f"too old: {', '.join(self.stale)}"] if self.stale else []
        return "; ".join(parts)


class _Buffer:
    """The newest values of one source, ordered by stamp."""

    def __init__(self) -> None:
        self.stamps: list[int] = []
        self.values: list[np.ndarray] = []

    def insert(self, stamp: int, values: np.ndarray) -> None:
        # A second value with a stamp already held replaces the first: the result must not depend on which came last
        # in the same nanosecond, so the later arrival wins everywhere.
        place = bisect.bisect_left(self.stamps, stamp)
        if place < len(self.stamps) and self.stamps[place] == stamp:
            self.values[place] = values
            return
        self.stamps.insert(place, stamp)
        self.values.insert(place, values)
        if len(self.stamps) > 2 * DEPTH:
            del self.stamps[:DEPTH], self.values[:DEPTH]

    def at(self, stamp: int) -> tuple[int, np.ndarray] | None:
        place = bisect.bisect_right(self.stamps, stamp)
        return (self.stamps[place - 1], self.values[place - 1]) if place else None


class Aligner:
    """Holds what each source last said and samples all of them at a tick: the newest value not after the tick.

    The sample at a tick depends only on which messages were pushed, not on their order of arrival across sources.
    Stamps are int64 nanoseconds. A stamp more than 0.5 s before its source's newest means that time jumped back
    (a simulation was reset, a clock was set): everything is forgotten and `epoch` counts one up.
    """

    def __init__(self, sources: tuple[Source, ...]) -> None:
        self.sources = sources
        self.epoch = 0
        self._index = {source.topic: i for i, source in enumerate(sources)}
        self._buffers = [_Buffer() for _ in sources]

    def push(self, topic: str, stamp: int, values: np.ndarray) -> None:
        """Take in one message's selected values (size of the source,)."""
        if self.jumps_back(topic, stamp):
            self.clear()
        self._buffers[self._index[topic]].insert(stamp, values)

    def jumps_back(self, topic: str, stamp: int) -> bool:
        """Whether a message with this stamp (ns) would start a new epoch."""
        stamps = self._buffers[self._index[topic]].stamps
        return bool(stamps) and stamp < stamps[-1] - BACKWARD_JUMP_NS

    def clear(self) -> None:
        """Forget all values and start a new epoch."""
        self._buffers = [_Buffer() for _ in self.sources]
        self.epoch += 1

    @property
    def watermark(self) -> int | None:
        """The newest stamp (ns) up to which every source has reported; None until all have."""
        if not all(buffer.stamps for buffer in self._buffers):
            return None
        return min(buffer.stamps[-1] for buffer in self._buffers)

    def sample(self, tick: int) -> Sample:
        """All sources at `tick` (ns)."""
        values, ages, missing, stale = [], [], [], []
        for source, buffer in zip(self.sources, self._buffers, strict=True):
            held = buffer.at(tick)
            if held is None:
                missing.append(source.topic)
                values.append(np.full(source.size, np.nan))
                ages.append(float("inf"))
                continue
            age = (tick - held[0]) * 1e-9
            if age > source.max_age:
                stale.append(source.topic)
            values.append(held[1])
            ages.append(age)
        vector = np.concatenate(values).astype(np.float32) if values else np.zeros(0, np.float32)
        return Sample(tick, vector, tuple(ages), tuple(missing), tuple(stale))


class TickGrid:
    """Ticks every `period` ns, as soon as the data reaches them; starts anew after a gap in the data."""

    def __init__(self, period: int, gap: int) -> None:
        self.period = period
        self.gap = gap
        self._next: int | None = None

    def restart(self) -> None:
        """Forget the grid: the next watermark is the first tick."""
        self._next = None

    def due(self, watermark: int | None) -> Iterator[int]:
        """The ticks (ns) that `watermark` has reached and that were not given out before."""
        if watermark is None:
            return
        if self._next is None or watermark - self._next > self.gap:
            self._next = watermark
        while self._next <= watermark:
            self._next += self.period
            yield self._next - self.period
