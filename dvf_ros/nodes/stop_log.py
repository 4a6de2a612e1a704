"""Why the robot was stopped lately: no reason is lost because another came soon after it."""

from __future__ import annotations

import re
from dataclasses import dataclass

KINDS = 5
"""How many kinds of reasons are kept."""

SEPARATOR = " | "


@dataclass
class _Stops:
    reason: str
    at: float
    count: int


class StopLog:
    """Keeps the newest stop of each kind; reasons that differ in their numbers alone are of one kind.

    Times are s of a steady clock.
    """

    def __init__(self) -> None:
        self._kinds: dict[str, _Stops] = {}
        self._present = ""

    def note(self, reason: str, now: float) -> None:
        """A command went out: a stop for `reason`, or motion (empty). A stop that goes on is counted once."""
        kind = re.sub(r"\d+(\.\d+)?", "", reason)
        if kind and kind != self._present:
            before = self._kinds.pop(kind, None)  # the newest stands last
            self._kinds[kind] = _Stops(reason, now, before.count + 1 if before else 1)
            if len(self._kinds) > KINDS:
                del self._kinds[next(iter(self._kinds))]
        self._present = kind

    def text(self, now: float) -> str:
        """For people, the newest first: `time jumped by +10.00 s (0.4 s ago, 2 times) | paused (8.1 s ago)`."""
        return SEPARATOR.join(
            f"{stops.reason} ({now - stops.at:.1f} s ago{f', {stops.count} times' if stops.count > 1 else ''})"
            for stops in reversed(self._kinds.values())
        )
