"""Notices that this process stood still: it was halted, or the machine slept."""

from __future__ import annotations

LAPSE = 2
"""Gaps without a beat, and without anybody noticing, after which this process must have stood still."""


class Pulse:
    """Lapses LAPSE times `gap` s after its last beat.

    Times are ns of a steady clock that the caller reads: one that goes on while the machine sleeps.
    """

    def __init__(self, gap: float) -> None:
        self._most = round(LAPSE * gap * 1e9)
        self._last: int | None = None

    def beat(self, now: int | None) -> None:
        """Note a sign of life at `now` (None: time does not count)."""
        self._last = now

    def lapsed(self, now: int | None) -> bool:
        """Whether the last beat lies too far back at `now`."""
        return now is not None and self._last is not None and now - self._last > self._most
