"""Count what was published on a topic and never came."""

from __future__ import annotations

from collections.abc import Callable, Collection

Publishers = Collection[tuple[int, ...]]  # their global ids


class TransportLoss:
    """Messages lost on one topic between publisher and callback, from two witnesses.

    The numbers that the middleware's publisher gives its messages tell of every gap, once a later message is there,
    but only while a single publisher speaks: nothing says which one a number is of. The middleware's message-lost event
    tells of what it noticed itself. Both see the same losses, so the larger count holds. With more than one publisher,
    or a middleware that does not number, only the events are left.
    """

    def __init__(self) -> None:
        self._before = 0  # of publishers that are gone
        self._gaps = self._events = 0
        self._publishers: frozenset[tuple[int, ...]] = frozenset()
        self._last: int | None = None

    @property
    def count(self) -> int:
        """Messages lost so far."""
        return self._before + max(self._gaps, self._events)

    def follow(self, publishers: Publishers) -> None:
        """Tell who publishes now; other publishers count from another number."""
        if frozenset(publishers) != self._publishers:
            self._before, self._gaps, self._events = self.count, 0, 0
            self._publishers, self._last = frozenset(publishers), None

    def event(self, change: int) -> None:
        """Note a message-lost event of `change` messages."""
        self._events += change

    def take(self, number: int | None, publishers: Callable[[], Publishers]) -> None:
        """Note the number of a message that came; at a gap, `publishers` says whether there is a new one."""
        if number is None:
            return
        if self._last is not None and number > self._last + 1:
            self.follow(publishers())
            if self._last is not None and len(self._publishers) == 1:
                self._gaps += number - self._last - 1
        self._last = number
