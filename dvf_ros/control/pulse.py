"""Notices that this process stood still: it was halted, or the machine slept."""

from __future__ import annotations


class Pulse:
    """More than `most` ns between two beats, of a steady clock that the caller reads, and it has lapsed."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._last: int | None = None

    def beat(self, now: int | None) -> bool:
        """Note a sign of life at `now` (None: time does not count); returns whether the pulse had lapsed."""
        lapsed, self._last = self.lapsed(now), now
        return lapsed

    def lapsed(self, now: int | None) -> bool:
        """Whether the last beat lies too far back at `now`."""
        return now is not None and self._last is not None and now - self._last > self._most
