"""Two that command one robot at once: told apart by how their messages are numbered."""

from __future__ import annotations

WINDOW_NS = 1_000_000_000

WINDOW_MESSAGES = 10
"""So many besides: a machine that halts for a second has silenced nobody."""


class OneVoice:
    """Listens to the numbers that publishers give their messages, each counting up its own.

    They fall when another publisher speaks: once, where one takes over from another or starts anew, but again and
    again where two speak in turn. Times are ns of a steady clock.
    """

    def __init__(self) -> None:
        self._number: int | None = None
        self._fell: int | None = None
        self._contested: int | None = None
        self._since = 0  # messages since two were last heard in turn

    def alone(self, number: int | None, now: int) -> bool:
        """Whether the message of this `number` comes from the only one who spoke in the last second and ten messages.

        None, where the middleware does not number messages, is believed.
        """
        if number is None:
            return True
        self._since += 1
        if self._number is not None and number <= self._number:
            if self._fell is not None and now - self._fell < WINDOW_NS:
                self._contested, self._since = now, 0
            self._fell = now
        self._number = number
        return self._contested is None or (now - self._contested >= WINDOW_NS and self._since >= WINDOW_MESSAGES)
