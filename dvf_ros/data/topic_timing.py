"""Timing of one topic, in constant memory: rate, gaps, jitter, and what its header's clock does beside the log's."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, field

import numpy as np

SECOND = 1_000_000_000
# Intervals are counted in logarithmic bins from 1 µs to 3 h, 200 a decade: a quantile is right to 1 %.
BINS_A_DECADE, DECADES, SHORTEST_S = 200, 10, 1e-6
BINS = BINS_A_DECADE * DECADES + 1
# A gap is a silence of more than five usual intervals, and of 50 ms, below which schedulers alone are to blame.
GAP_INTERVALS, GAP_S = 5.0, 0.05
LONGEST_KEPT = 100
CELLS = 512
EARLIEST_WALL_NS = 1_000_000_000 * SECOND  # 2001: robots' clocks are later, simulations' are not
FAST_OR_SLOW = 0.05  # a header clock off by this share of the log clock's pace is another clock
FAR_S = 1.0


@dataclass
class Intervals:
    """Times between the stamps (ns) of one clock, in the order of the messages."""

    count: int = 0
    first: int = 0
    last: int = 0
    backward: int = 0
    repeated: int = 0
    longest: list[tuple[int, int]] = field(default_factory=list)  # heap of (interval, start), ns

    def __post_init__(self) -> None:
        self._bins = np.zeros(BINS, np.int64)

    def add(self, stamp: int) -> None:
        """Take in the next stamp."""
        self.count += 1
        if self.count == 1:
            self.first = self.last = stamp
            return
        interval = stamp - self.last
        if interval < 0:
            # A stamp out of order ends no silence: the next interval counts from the newest stamp.
            self.backward += 1
            return
        self.repeated += interval == 0
        self.last = stamp
        place = math.log10(max(interval / SECOND, SHORTEST_S) / SHORTEST_S) * BINS_A_DECADE
        self._bins[min(int(place), BINS - 1)] += 1
        held = (interval, stamp - interval)
        if len(self.longest) < LONGEST_KEPT:
            heapq.heappush(self.longest, held)
        elif held > self.longest[0]:
            heapq.heapreplace(self.longest, held)

    @property
    def duration(self) -> float:
        """Seconds from the first to the newest stamp."""
        return (self.last - self.first) / SECOND

    def quantile(self, share: float) -> float:
        """The interval (s) that `share` of all do not exceed; nan for fewer than two messages."""
        total = int(self._bins.sum())
        if not total:
            return math.nan
        place = int(np.searchsorted(np.cumsum(self._bins), share * total))
        return float(SHORTEST_S * 10 ** ((place + 0.5) / BINS_A_DECADE))

    @property
    def rate(self) -> float:
        """Messages per second while the topic spoke: gaps do not count. Zero for fewer than two messages."""
        silent = sum(interval for interval, _ in self.gaps) / SECOND
        spoken = self.duration - silent
        return (self.count - 1 - self.backward - len(self.gaps)) / spoken if spoken > 0 else 0.0

    @property
    def jitter(self) -> float:
        """Half the spread (s) between the 16 % and the 84 % quantile: one standard deviation of a normal law."""
        return (self.quantile(0.84) - self.quantile(0.16)) / 2

    @property
    def regular(self) -> bool:
        """Whether the topic ticks, rather than speaks when there is something to say."""
        return self.count >= 10 and self.quantile(0.9) < 3 * self.quantile(0.5)

    @property
    def gaps(self) -> list[tuple[int, int]]:
        """(length, start) in ns of the longest gaps, longest first; of a topic that does not tick there are none."""
        if not self.regular:
            return []
        least = max(GAP_INTERVALS * self.quantile(0.5), GAP_S) * SECOND
        return sorted((held for held in self.longest if held[0] > least), reverse=True)

    @property
    def longest_s(self) -> float:
        """The longest silence (s); zero for fewer than two messages."""
        return max(self.longest)[0] / SECOND if self.longest else 0.0


@dataclass
class HeaderClock:
    """Header stamps of one topic against the times at which its messages were logged."""

    intervals: Intervals = field(default_factory=Intervals)
    zero: int = 0
    _first_log: int = 0
    _last_log: int = 0
    _least: int = 0
    _most: int = 0

    def add(self, stamp: int, receive_ns: int) -> None:
        """Take in one message's header stamp (ns)."""
        if stamp == 0:
            self.zero += 1
            return
        offset = receive_ns - stamp
        if not self.intervals.count:
            self._first_log, self._least, self._most = receive_ns, offset, offset
        self._last_log = receive_ns
        self._least, self._most = min(self._least, offset), max(self._most, offset)
        self.intervals.add(stamp)

    @property
    def simulated(self) -> bool:
        """Whether the stamps count from the start of a simulation, not from 1970, though the log's do."""
        return bool(self.intervals.count) and self.intervals.first < EARLIEST_WALL_NS <= self._first_log

    @property
    def offset(self) -> tuple[float, float]:
        """Least and largest delay (s) from the header's stamp to the log's."""
        return self._least / SECOND, self._most / SECOND

    @property
    def pace(self) -> float:
        """Seconds of the header clock in a second of the log clock; nan where less than 1 s was logged."""
        logged = (self._last_log - self._first_log) / SECOND
        return self.intervals.duration / logged if logged >= 1 else math.nan

    @property
    def agrees(self) -> bool:
        """Whether the header's clock and the log's can be used together: same epoch, same pace, under 1 s apart."""
        if not self.intervals.count or self.zero:
            return False
        steady = math.isnan(self.pace) or abs(self.pace - 1) <= FAST_OR_SLOW
        return not self.simulated and steady and max(map(abs, self.offset)) <= FAR_S


class Timeline:
    """How many messages came when, in at most 512 cells that double in width as the bag goes on."""

    def __init__(self) -> None:
        self.origin: int | None = None
        self.width = SECOND // 1000
        self.counts = np.zeros(CELLS, np.int64)

    def add(self, receive_ns: int) -> None:
        """Take in one message's log time (ns)."""
        if self.origin is None:
            self.origin = receive_ns
        place = max(receive_ns - self.origin, 0) // self.width
        while place >= CELLS:
            self.counts = np.concatenate([self.counts.reshape(-1, 2).sum(axis=1), np.zeros(CELLS // 2, np.int64)])
            self.width *= 2
            place //= 2
        self.counts[place] += 1
