"""Count what was published on a topic and never came."""

from __future__ import annotations

from collections.abc import Callable, Collection

Publishers = Collection[tuple[int, ...]]  # their global ids


class TransportLoss:
    """Messages lost on one topic between publisher and callback, from two witnesses.

    The numbers that the middleware's publisher gives its messages tell of every gap, once a later message is there,
    but only while a single publisher speaks: nothing says which one a number is of. What was received before another
    one went may be of that one. The middleware hands on a publisher's messages in order, so a number that goes back
    says nothing. The middleware's message-lost event tells of what it noticed itself. Both see the same losses, so the
    larger count holds. With more than one publisher, or a middleware that does not number, only the events are left.
    """

    def __init__(self) -> None:
        self._before = 0  # of publishers that are gone
        self._gaps = self._events = 0
        self._publishers: frozenset[tuple[int, ...]] = frozenset()
        self._parted = 0  # ns, when one of them was found to be gone
        self._last: int | None = None

    @property
    def count(self) -> int:
        """Messages lost so far."""
        return self._before + max(self._gaps, self._events)

    def follow(self, publishers: Publishers, now_ns: int) -> None:
        """Tell who publishes now; other publishers count from another number."""
        found = frozenset(publishers)
        if found == self._publishers:
            return
        self._before, self._gaps, self._events = self.count, 0, 0
        if self._publishers - found:
            self._parted = now_ns
        self._publishers, self._last = found, None

    def event(self, change: int) -> None:
        """Note a message-lost event of `change` messages."""
        self._events += change

    def take(self, number: int | None, received_ns: int, look: Callable[[], object]) -> None:
        """Note the number of a message that came; at a gap, `look` has to call `follow`: there may be a new publisher.

        `received_ns` is when the middleware received it, on the clock of `follow`; it may be taken much later.
        """
        if number is None:
            return
        if self._last is not None and number > self._last + 1:
            look()
        if len(self._publishers) != 1 or received_ns < self._parted:
            return
        if self._last is None:
            self._last = number
        elif number > self._last:
            self._gaps += number - self._last - 1
            self._last = number
