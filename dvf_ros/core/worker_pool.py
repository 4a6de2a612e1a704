"""Worker processes for long work. Ctrl-C ends all of them, and only the process that started them says so."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from types import TracebackType

INTERRUPTS = {signal.SIGINT}


class WorkerDiedError(ValueError):
    """A worker process that ended before its work did."""


class WorkerPool(ProcessPoolExecutor):
    """Processes that work side by side, spawned: threads (MuJoCo's, torch's, a progress bar's) do not survive a fork.

    Left early, it waits for what is in work and drops the rest. Leaving it raises WorkerDiedError where a worker died.
    """

    def __init__(self, processes: int) -> None:
        super().__init__(processes, mp_context=get_context("spawn"), initializer=_end_at_interrupts)

    def submit[**P, T](self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """As any executor does; this is what starts the processes."""
        with _interrupts_wait():
            return super().submit(work, *args, **kwargs)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the processes."""
        self.shutdown(cancel_futures=True)
        if isinstance(error, BrokenProcessPool):
            raise WorkerDiedError("a worker process died (out of memory? Fewer processes need less of it)") from error


@contextmanager
def _interrupts_wait() -> Iterator[None]:
    """Hold interrupts back from this process, and from those that it starts meanwhile until they let them in.

    A worker would otherwise print a traceback of whatever it was importing, or of what it was not told to the end.
    """
    came: list[int] = []
    before = signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTS)
    # Blocked for this thread, an interrupt goes to another one (a progress bar's); its handler runs in the main one.
    handler = signal.getsignal(signal.SIGINT)
    handled = callable(handler) and threading.current_thread() is threading.main_thread()
    try:
        if handled:
            signal.signal(signal.SIGINT, lambda number, _: came.append(number))
        yield
    finally:
        if handled:
            signal.signal(signal.SIGINT, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if came:
            signal.raise_signal(signal.SIGINT)


def _end_at_interrupts() -> None:
    """Let interrupts, held back or new ones, end this process at once and without a word: a worker's initializer."""
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:  # a script's background hears none, nor do its workers
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPTS)
