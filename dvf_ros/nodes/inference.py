"""One thread that computes decisions, so that no callback ever waits for the model."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future

from dvf_ros.control.brain import Request
from dvf_ros.core.decision import Decision


class InferenceWorker:
    """Runs `decide` on its own thread and hands the outcome, or the exception, to `deliver` on that thread.

    `warm_up` runs there first, since a thread's first call of the model is many times slower than the others; the
    constructor waits for it and raises what it raises.
    """

    def __init__(
        self,
        warm_up: Callable[[], None],
        decide: Callable[[Request], Decision],
        deliver: Callable[[Request, Decision | Exception], None],
    ) -> None:
        self._decide = decide
        self._deliver = deliver
        self._requests: queue.Queue[Request | None] = queue.Queue()
        self._busy = threading.Lock()
        warm: Future[None] = Future()
        # A daemon: a model that hangs must not keep the process from ending.
        self._thread = threading.Thread(target=self._work, args=(warm_up, warm), name="inference", daemon=True)
        self._thread.start()
        warm.result()

    def submit(self, request: Request) -> bool:
        """Ask for a decision; False if one is still being computed."""
        if not self._busy.acquire(blocking=False):
            return False
        self._requests.put(request)
        return True

    def close(self, timeout: float = 2.0) -> None:
        """End the thread; a decision still being computed is waited for at most `timeout` seconds."""
        self._requests.put(None)
        self._thread.join(timeout)

    def _work(self, warm_up: Callable[[], None], warm: Future[None]) -> None:
        try:
            warm_up()
        except Exception as error:
            warm.set_exception(error)
            return
        warm.set_result(None)
        while (request := self._requests.get()) is not None:
            outcome: Decision | Exception
            try:
                outcome = self._decide(request)
            except Exception as error:  # whatever the model raises stops the robot and is reported by the receiver
                outcome = error
            self._busy.release()
            self._deliver(request, outcome)
