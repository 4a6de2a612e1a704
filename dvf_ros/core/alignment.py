"""Align topics that report at their own rates to the ticks of one control clock. The same code live and offline."""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from dvf_ros.core.interpolation import interpolate
from dvf_ros.core.spec import Source

DEPTH = 512
"""Values of a source that are kept at least."""
BEHIND = 2.0
"""Seconds that one source's stamps may lie behind another's, beyond what their ages allow, before values are lost."""
BACKWARD_JUMP_NS = 500_000_000


class Sample(NamedTuple):
    """All sources at one tick (a tuple, because a conversion makes three of them a tick).

    `values` (D,) float32 is complete only if `valid`; a source that never reported counts as missing (its numbers
    are NaN), one whose newest value is older than its max_age as stale. `ages` (s) has one entry per source;
    `interpolated` names the sources whose values before and after the tick were joined.
    """

    stamp: int
    values: np.ndarray
    ages: tuple[float, ...]
    missing: tuple[str, ...]
    stale: tuple[str, ...]
    interpolated: tuple[str, ...] = ()

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
    """The newest values of one source, ordered by stamp: at least DEPTH of them, and all of the last `span` (ns)."""

    def __init__(self, span: int) -> None:
        self._span = span
        self.stamps: list[int] = []
        self.values: list[np.ndarray] = []

    def insert(self, stamp: int, values: np.ndarray) -> None:
        stamps = self.stamps
        if not stamps or stamp > stamps[-1]:
            stamps.append(stamp)
            self.values.append(values)
        else:
            # A second value with a stamp already held replaces the first: the result must not depend on which came
            # last in the same nanosecond, so the later arrival wins everywhere.
            place = bisect.bisect_left(stamps, stamp)
            if stamps[place] == stamp:
                self.values[place] = values
                return
            stamps.insert(place, stamp)
            self.values.insert(place, values)
        if len(stamps) > 2 * DEPTH and stamps[DEPTH] < stamps[-1] - self._span:
            del stamps[:DEPTH], self.values[:DEPTH]

    def before(self, stamp: int) -> int:
        """Where the newest value not after `stamp` lies; -1 where there is none."""
        # Ticks follow the data closely: the wanted value is nearly always among the last two.
        if self.stamps and self.stamps[-1] <= stamp:
            return len(self.stamps) - 1
        return bisect.bisect_right(self.stamps, stamp) - 1

    @property
    def due(self) -> int:
        """The stamp (ns) at which the next value is due, if it comes as the last one came."""
        return self.stamps[-1] + (self.stamps[-1] - self.stamps[-2] if len(self.stamps) > 1 else 0)


class Aligner:
    """Holds what each source last said and samples all of them at a tick: the newest value not after the tick.

    Sources are told apart by their `key`. A source with `resample: linear` is joined with its first value after the
    tick, if there is one and the two are at most `max_age` apart: more would be invented. The sample at a tick depends
    only on which messages were pushed, not on their order of arrival across sources.
    Stamps are int64 nanoseconds. A stamp more than 0.5 s before its source's newest means that time jumped back
    (a simulation was reset, a clock was set): everything is forgotten and `epoch` counts one up; `jump` (ns)
    is how far. What lies further back than `reach` (s) may be forgotten; by default that is enough for ticks that
    wait for the slowest source, or for one whose stamps are BEHIND.
    """

    def __init__(self, sources: tuple[Source, ...], reach: float = 0.0) -> None:
        self.sources = sources
        self._span = round(1e9 * (BEHIND + max(reach, 2.0 * max((source.max_age for source in sources), default=0.0))))
        self.epoch = 0
        self.jump = 0
        self._index = {source.key: i for i, source in enumerate(sources)}
        self._buffers = [_Buffer(self._span) for _ in sources]
        ends = np.cumsum([0, *(source.size for source in sources)]).tolist()
        self._spans = [slice(start, end) for start, end in pairwise(ends)]
        self._size = ends[-1]

    def push(self, key: str, stamp: int, values: np.ndarray) -> None:
        """Take in one message's selected values (size of the source,)."""
        if self.jumps_back(key, stamp):
            self.jump = stamp - self._buffers[self._index[key]].stamps[-1]
            self.clear()
        self._buffers[self._index[key]].insert(stamp, values)

    def jumps_back(self, key: str, stamp: int) -> bool:
        """Whether a message with this stamp (ns) would start a new epoch."""
        stamps = self._buffers[self._index[key]].stamps
        return bool(stamps) and stamp < stamps[-1] - BACKWARD_JUMP_NS

    def clear(self) -> None:
        """Forget all values and start a new epoch."""
        self._buffers = [_Buffer(self._span) for _ in self.sources]
        self.epoch += 1

    @property
    def watermark(self) -> int | None:
        """The newest stamp (ns) up to which every source has reported; None until all have."""
        least: int | None = None
        for buffer in self._buffers:
            if not buffer.stamps:
                return None
            if least is None or buffer.stamps[-1] < least:
                least = buffer.stamps[-1]
        return least

    @property
    def end(self) -> int | None:
        """How far the data reaches (ns) if nothing more comes: up to where some source's next value would be due.

        None until all have reported.
        """
        if self.watermark is None:
            return None
        return min(self.newest, *(max(buffer.due - 1, buffer.stamps[-1]) for buffer in self._buffers))

    @property
    def newest(self) -> int:
        """The newest stamp (ns) of any source; 0 before the first."""
        return max((buffer.stamps[-1] for buffer in self._buffers if buffer.stamps), default=0)

    def sample(self, tick: int) -> Sample:
        """All sources at `tick` (ns)."""
        vector = np.empty(self._size, np.float32)
        ages: list[float] = []
        missing: list[str] = []
        stale: list[str] = []
        interpolated: list[str] = []
        for source, buffer, span in zip(self.sources, self._buffers, self._spans, strict=True):
            place = buffer.before(tick)
            if place < 0:
                missing.append(source.key)
                vector[span] = np.nan
                ages.append(float("inf"))
            else:
                age = (tick - buffer.stamps[place]) * 1e-9
                if age > source.max_age:
                    stale.append(source.key)
                values = buffer.values[place]
                if source.resample == "linear" and age > 0:
                    joined = _joined(source, buffer, place, tick)
                    if joined is not None:
                        values = joined
                        interpolated.append(source.key)
                vector[span] = values
                ages.append(age)
        return Sample(tick, vector, tuple(ages), tuple(missing), tuple(stale), tuple(interpolated))


def _joined(source: Source, buffer: _Buffer, place: int, tick: int) -> np.ndarray | None:
    if place + 1 == len(buffer.stamps):
        return None
    before, after = buffer.stamps[place], buffer.stamps[place + 1]
    if (after - before) * 1e-9 > source.max_age:
        return None
    share = (tick - before) / (after - before)
    return interpolate(source, buffer.values[place], buffer.values[place + 1], share)


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
