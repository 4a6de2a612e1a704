"""Watch a topic's rate by the times at which its messages arrive."""

from __future__ import annotations

from collections import deque
from itertools import pairwise

WINDOW_NS = 650_000_000  # what a rate is measured over: long enough for jitter, short enough to warn within 1 s
HELD_UP_NS = 200_000_000  # messages that come late but all of them, as a busy machine hands them on, are no low rate
INTERVALS = 5  # least number of intervals in it: below 7 Hz the window is longer
LEARN_NS = 2_000_000_000  # how long, and how many messages at least, make an expectation
LEARN_MESSAGES = 10
STALL_NS = 100_000_000  # a busy machine holds up any topic for so long now and then; a fast one is regular all the same
EVEN = 0.04  # by which the two halves of a lesson may differ: one that begins or ends in a hold-up teaches a wrong rate
SHARE = 0.9


class RateWatch:
    """The rate of one topic, and whether it is below 90 % of what is expected.

    `expected` (Hz) is `least` (0: no expectation) until it is learned from the first 2 s in which the messages come
    regularly, with no interval of more than twice the mean and 0.1 s. The rate has to stay low for 0.2 s to count: a
    window that ends while messages are held up lacks them. All times are ns of one clock; if it jumps back, or ahead by
    more than a window from one question to the next (a simulation that is reset), the measurement begins anew.
    """

    def __init__(self, least: float = 0.0) -> None:
        self.expected = least
        self._stamps: deque[int] = deque()
        self._began = self._asked = 0
        self._below_since: int | None = None
        self._learned = False
        self._lesson: list[int] = []

    def restart(self, now_ns: int) -> None:
        """Forget what was measured, not what is expected."""
        self._stamps.clear()
        self._began = self._asked = now_ns
        self._below_since = None
        self._lesson = []

    def take(self, now_ns: int) -> None:
        """Note one message."""
        if self._stamps and now_ns < self._stamps[-1]:
            self.restart(now_ns)
        self._stamps.append(now_ns)
        self._trim(now_ns)
        if not self._learned:
            self._learn(now_ns)

    def rate(self, now_ns: int) -> float:
        """Messages per second (Hz), at most: silence since the last one counts against it."""
        self._trim(now_ns)
        if not self._stamps:
            return 0.0
        first, last, intervals = self._stamps[0], self._stamps[-1], len(self._stamps) - 1
        heard = intervals / (last - first) if last > first else float("inf")
        silent = (intervals + 1) / (now_ns - first) if now_ns > first else float("inf")
        return min(heard, silent) * 1e9

    def low(self, now_ns: int) -> bool:
        """Whether the rate is, and has been for 0.2 s, below 90 % of the expected one; ask many times a second.

        Never in the first window after a restart.
        """
        if now_ns - self._asked > WINDOW_NS:
            self.restart(now_ns)
        self._asked = now_ns
        if now_ns - self._began <= WINDOW_NS or self.rate(now_ns) >= SHARE * self.expected:
            self._below_since = None
            return False
        if self._below_since is None:
            self._below_since = now_ns
        return now_ns - self._below_since >= HELD_UP_NS

    def _trim(self, now_ns: int) -> None:
        while len(self._stamps) > INTERVALS + 1 and self._stamps[1] <= now_ns - WINDOW_NS:
            self._stamps.popleft()

    def _learn(self, now_ns: int) -> None:
        lesson = self._lesson
        lesson.append(now_ns)
        if now_ns - lesson[0] < LEARN_NS:
            return
        intervals = len(lesson) - 1
        mean = (now_ns - lesson[0]) / intervals
        longest = max(after - before for before, after in pairwise(lesson))
        half = intervals // 2
        uneven = abs((lesson[half] - lesson[0]) - half * mean) / (half * mean) if half else 1.0
        if intervals >= LEARN_MESSAGES and longest <= 2 * mean + STALL_NS and uneven <= EVEN:
            self.expected, self._learned = 1e9 / mean, True
        self._lesson = []
