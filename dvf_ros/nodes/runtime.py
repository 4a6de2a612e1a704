"""Run a node until it is done or told to end, closing it while it can still publish."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Callable
from typing import Protocol, runtime_checkable

import rclpy
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.executors import Executor, SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future
from rclpy.utilities import get_rmw_implementation_identifier

from dvf_ros.nodes.memory import settled_memory
from dvf_ros.nodes.transport import without_shared_memory

ENDING = {signal.SIGINT, signal.SIGTERM}
BAD_START = (
    ValueError,
    OSError,
    InvalidParameterTypeException,
    InvalidParameterValueException,
    # What follows --ros-args and cannot be read: a log level, a parameter file, a remapping.
    rclpy_implementation.RCLError,
    rclpy_implementation.UnknownROSArgsError,
)


@runtime_checkable
class Closable(Protocol):
    """A node that has something to finish (a bag, a last command) before it is destroyed."""

    def close(self) -> None:
        """Finish; called once, on the executor's thread, while publishers still work."""


def run(
    make_node: Callable[[], Node],
    *,
    executor: Callable[[], Executor] = SingleThreadedExecutor,
    shared_memory: bool = True,
) -> int:
    """Make a node, spin it, close it; returns the process's exit status.

    The node ends on SIGINT or SIGTERM (status 0), or when its attribute `done`, a Future, has a result (that
    status). An error that a user can mend (bad parameter, spec or file) is told in one line, with status 1.
    Without `shared_memory`, no other process can be left waiting by one that is killed (see `transport`).
    """
    if not shared_memory:
        os.environ.update(without_shared_memory(os.environ, get_rmw_implementation_identifier()))
    # rclpy's own handlers would shut the context down first, and no stop command could go out after that.
    signals = _note_signals()
    try:
        rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
        node = make_node()
    except BAD_START as error:
        print(f"{type(error).__name__}: {_without_places(error)}", file=sys.stderr, flush=True)
        rclpy.try_shutdown()
        return 1
    spinner = executor()
    spinner.add_node(node)
    done: Future = getattr(node, "done", None) or Future()
    watcher = threading.Thread(target=_wait_for_signal, args=(signals, done, spinner), daemon=True)
    watcher.start()
    try:
        # Not spin_until_future_complete: it adds a callback to the future at every turn, and never takes one away.
        # Being woken is not enough for spin_once to return; a task, even an empty one, is.
        done.add_done_callback(lambda _: spinner.create_task(lambda: None))
        try:
            with settled_memory():
                while not done.done():
                    spinner.spin_once()
        finally:  # also after an error in a callback: the robot still gets its stop
            if isinstance(node, Closable):
                node.close()
    finally:
        # The watcher ends before the executor that it talks to.
        signal.set_wakeup_fd(-1)
        signals.shutdown(socket.SHUT_RD)
        watcher.join()
        spinner.shutdown()
        node.destroy_node()
        rclpy.try_shutdown()
    return int(done.result() or 0)


def _without_places(error: Exception) -> str:
    """What is wrong, without where in rcl's own sources it was found."""
    return re.sub(r", at \S+\.c:\d+", "", str(error))


def _note_signals() -> socket.socket:
    """A socket that has a byte for each ending signal.

    Blocking the signals and waiting for them would not do: threads that libraries (OpenBLAS) started at import take
    them unblocked, and Python's own handlers run only once the main thread comes back from waiting for messages.
    """
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    signal.set_wakeup_fd(writer.detach(), warn_on_full_buffer=False)
    for number in ENDING:
        signal.signal(number, lambda *_: None)
    return reader


def _wait_for_signal(signals: socket.socket, done: Future, spinner: Executor) -> None:
    def finish() -> None:
        if not done.done():
            done.set_result(0)

    if signals.recv(1):
        spinner.create_task(finish)
