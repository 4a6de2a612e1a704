"""Worker processes: what they return, and what is said where one dies. Ctrl-C is in tests/cli/test_interrupts.py."""

from __future__ import annotations

import os
import signal
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from dvf_ros.core.worker_pool import WorkerDiedError, WorkerPool


def _die(_: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _leave_a_mark(folder: Path, number: int) -> None:
    time.sleep(0.1)
    (folder / str(number)).touch()


def test_results_come_in_the_order_of_what_was_asked() -> None:
    with WorkerPool(2) as pool:
        assert list(pool.map(abs, range(-20, 0))) == list(range(20, 0, -1))


def test_a_worker_that_dies_is_told_in_words() -> None:
    with pytest.raises(WorkerDiedError, match="a worker process died"), WorkerPool(2) as pool:
        list(pool.map(_die, range(4)))


def test_what_a_worker_raises_is_raised() -> None:
    with pytest.raises(ZeroDivisionError), WorkerPool(1) as pool:
        pool.submit(divmod, 1, 0).result()


def test_left_early_it_drops_what_has_not_begun(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="enough"), WorkerPool(1) as pool:
        waiting = [pool.submit(_leave_a_mark, tmp_path, number) for number in range(100)]
        waiting[0].result()
        raise RuntimeError("enough")
    assert 1 <= len(list(tmp_path.iterdir())) < 10
    assert waiting[-1].cancelled()


def test_interrupts_come_through_again_once_the_workers_are_started() -> None:
    with WorkerPool(1) as pool:
        pool.submit(abs, 1).result()
        assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_an_interrupt_that_another_thread_hears_waits_until_a_worker_is_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A progress bar's thread, say: a worker that is cut off while it is told what to do says so in a traceback."""
    begun: list[object] = []

    def hear() -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        signal.raise_signal(signal.SIGINT)

    def submit(pool: ProcessPoolExecutor, work: object, *args: object) -> None:
        begun.append(work)
        interrupting = threading.Thread(target=hear)
        interrupting.start()
        interrupting.join()
        begun.append("told to the end")

    monkeypatch.setattr(ProcessPoolExecutor, "submit", submit)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), WorkerPool(1) as pool:
            pool.submit(abs, 1)
    finally:
        signal.signal(signal.SIGINT, before)
    assert begun == [abs, "told to the end"]
