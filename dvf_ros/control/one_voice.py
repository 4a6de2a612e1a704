"""Two that command one robot at once: told apart by how their messages are numbered."""

from __future__ import annotations

WINDOW_NS = 1_000_000_000

WINDOW_MESSAGES = 10
"""So many besides: a machine that halts for a second has silenced nobody."""

LOST = 10
"""By how much a publisher's next number may be larger than its last; what is missing between them was lost."""

SLOWEST_NS = 5_000_000_000
"""The longest pause of somebody who speaks rarely, beside another who does not stop."""


class OneVoice:
    """Listens to the numbers that publishers give their messages, each counting up its own.

    The count breaks when another publisher speaks: once, where one takes over from another or starts anew. Where two
    speak in turn it falls again and again, or goes on where it was left just before. Times are ns of a steady clock.
    """

    def __init__(self) -> None:
        self._last: tuple[int, int] | None = None  # number and time
        self._left: tuple[int, int] | None = None  # the last before the count broke
        self._fell: int | None = None
        self._contested: int | None = None
        self._patience = WINDOW_NS
        self._since = 0  # messages since two were last heard in turn

    def alone(self, number: int | None, now: int) -> bool:
        """Whether the message of this `number` comes from the only one who spoke in the last second and ten messages.

        None, where the middleware does not number messages, is believed. Of somebody who speaks every few seconds
        beside another, two messages are taken for a take-over; from then on none of either, for twice that time.
        """
        if number is None:
            return True
        self._since += 1
        if self._last is not None and not _follows(number, self._last[0]):
            if self._in_turn(number, self._last[0], now):
                self._contest(now)
            self._left = self._last
        self._last = (number, now)
        return self._contested is None or (now - self._contested >= self._patience and self._since >= WINDOW_MESSAGES)

    def _in_turn(self, number: int, last: int, now: int) -> bool:
        """Whether a count that broke with `number` tells of two who speak in turn."""
        if self._left is not None and _follows(number, self._left[0]) and now - self._left[1] < WINDOW_NS:
            return True
        if number > last:
            return False
        again, self._fell = self._fell is not None and now - self._fell < WINDOW_NS, now
        return again

    def _contest(self, now: int) -> None:
        pause = SLOWEST_NS if self._contested is None else now - self._contested
        self._patience = max(WINDOW_NS, 2 * pause) if pause < SLOWEST_NS else WINDOW_NS
        self._contested, self._since = now, 0


def _follows(number: int, last: int) -> bool:
    return last < number <= last + LOST
