"""The one decision that is waited for, and until when."""

from __future__ import annotations

from dataclasses import replace

from dvf_ros.control.brain import Request


class OpenRequest:
    """Holds the newest request until it is answered or given up; `allowed` s of the robot after it was asked for.

    Needs no timer to refuse an answer that is late: whoever is to give it up may be late as well.
    """

    def __init__(self, allowed: float) -> None:
        self.request: Request | None = None
        self._allowed_ns = round(allowed * 1e9)

    def answered(self, request: Request, now: int | None) -> bool:
        """Whether an answer to `request` counts at `now` (the robot's steady ns); what is open is closed then.

        One that is late leaves it open, to be given up.
        """
        if request is not self.request:
            return False
        if now is not None and request.asked is not None and now - request.asked >= self._allowed_ns:
            return False
        self.request = None
        return True

    def again(self) -> Request | None:
        """Open an equal request in place of what is open: an answer that is on its way will not be taken for its."""
        self.request = self.request and replace(self.request)
        return self.request

    def give_up(self) -> Request | None:
        """Close what is open, and return it; None if nothing is."""
        request, self.request = self.request, None
        return request
