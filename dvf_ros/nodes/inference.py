"""One thread that computes decisions, so that no callback ever waits for the model."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

from dvf_ros.control.brain import Request
from dvf_ros.core.decision import Decision

Deliver = Callable[[Request, Decision | Exception, float], None]
Fail = Callable[[Exception], None]


class InferenceWorker:
    """Decides on its own thread and hands (request, decision or exception, seconds since submitted) to `deliver` there.

    Of the requests that come while one is being computed only the newest is kept: older states are of no use.
    What `deliver` raises goes to `fail`, there as well; the thread goes on, or nothing would ever be decided again.
    `warm_up` runs first, since a thread's first call of the model is many times slower than the others; the
    constructor waits for it and raises what it raises.
    """

    def __init__(
        self, warm_up: Callable[[], None], decide: Callable[[Request], Decision], deliver: Deliver, fail: Fail
    ) -> None:
        self._decide = decide
        self._deliver = deliver
        self._fail = fail
        self._changed = threading.Condition()
        self._next: tuple[Request, float] | None = None
        self._closing = False
        warm: Future[None] = Future()
        # A daemon: a model that hangs must not keep the process from ending.
        self._thread = threading.Thread(target=self._work, args=(warm_up, warm), name="inference", daemon=True)
        self._thread.start()
        warm.result()

    def submit(self, request: Request) -> None:
        """Ask for a decision."""
        with self._changed:
            self._next = (request, time.perf_counter())
            self._changed.notify()

    def close(self, timeout: float = 1.0) -> None:
        """End the thread; a decision still being computed is waited for at most `timeout` s, and never delivered."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout)

    def _work(self, warm_up: Callable[[], None], warm: Future[None]) -> None:
        try:
            warm_up()
        except Exception as error:
            warm.set_exception(error)
            return
        warm.set_result(None)
        while (task := self._take()) is not None:
            request, submitted = task
            outcome: Decision | Exception
            try:
                outcome = self._decide(request)
            except Exception as error:  # whatever the model raises stops the robot and is reported by the receiver
                outcome = error
            if self._closing:
                return
            try:
                self._deliver(request, outcome, time.perf_counter() - submitted)
            except Exception as error:
                self._fail(error)

    def _take(self) -> tuple[Request, float] | None:
        """Wait for a request; None when closing."""
        with self._changed:
            self._changed.wait_for(lambda: self._closing or self._next is not None)
            task, self._next = self._next, None
            return None if self._closing else task
