"""Where episodes begin and end, beside what the data itself says: gaps, terminations, the end of the bag."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

SERVICE_EVENT = "/_service_event"
REQUEST_RECEIVED = 1  # service_msgs/msg/ServiceEventInfo


@dataclass(frozen=True)
class Cutting:
    """How a bag is cut into episodes.

    `longest`: one episode per bag, the longest stretch of it. `length` (s): longer episodes are cut; 0 for no limit.
    A message on one of the topics `start_on` begins an episode, and what lies before the first belongs to none; a
    message on one of `end_on` ends one. Of a service the topic is SERVICE/_service_event, and its calls count.
    """

    longest: bool = False
    length: float = 0.0
    start_on: tuple[str, ...] = ()
    end_on: tuple[str, ...] = ()

    @property
    def events(self) -> tuple[str, ...]:
        """The topics whose messages cut."""
        return tuple(name if name.startswith("/") else f"/{name}" for name in (*self.start_on, *self.end_on))


NO_CUTS = Cutting()


def is_event(topic: str, data: bytes) -> bool:
    """Whether a serialized (CDR) message on an event's topic counts: of a service's four events a call, one does."""
    # A service event begins with its info, and that with the kind of event.
    return not topic.endswith(SERVICE_EVENT) or (len(data) > 4 and data[4] == REQUEST_RECEIVED)


class EventGate:
    """Which ticks lie inside of an episode, by the events so far."""

    def __init__(self, cutting: Cutting) -> None:
        self._starts = tuple(f"/{name.strip('/')}" for name in cutting.start_on)
        self._inside = not self._starts
        self._waiting: deque[tuple[int, str]] = deque()

    def add(self, topic: str, stamp: int) -> None:
        """Take in an event that came when the data had reached `stamp` (ns)."""
        self._waiting.append((stamp, topic))

    def reached(self, tick: int | None) -> list[str]:
        """The events that come before `tick` (ns; None: all), each given once."""
        found = []
        while self._waiting and (tick is None or self._waiting[0][0] < tick):
            _, topic = self._waiting.popleft()
            self._inside = self.begins(topic) or not self._starts
            found.append(topic)
        return found

    def begins(self, topic: str) -> bool:
        """Whether an event on the topic begins an episode."""
        return f"/{topic.strip('/')}" in self._starts

    @property
    def inside(self) -> bool:
        """Whether what comes belongs to an episode."""
        return self._inside
