"""Ctrl-C while worker processes run: it ends all of them, and only the process that started them says so."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

INTERRUPTS = {signal.SIGINT}


@contextmanager
def interrupts_wait() -> Iterator[None]:
    """Hold interrupts back from this thread and from the processes that it starts meanwhile, until they let them in.

    A worker would otherwise print a traceback of whatever it was importing.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_at_interrupts() -> None:
    """Let interrupts, held back or new ones, end this process at once and without a word: a worker's initializer."""
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:  # a script's background hears none, nor do its workers
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPTS)
