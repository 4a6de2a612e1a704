"""What running episodes on the simulation needs: its services and the recorder's, outcomes, a script on a thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rclpy.client import Client
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.task import Future
from rclpy.time import Time
from std_srvs.srv import SetBool

from dvf_ros.msg import Outcome
from dvf_ros.srv import EndEpisode, Reset, StartEpisode

GAP = 0.5
"""s beyond a period by which stamps jump at a reset (the bridge jumps 1 s ahead)."""

SERVICE_TIMEOUT = 15.0
OUTCOME_DEPTH = 100


class EpisodeError(RuntimeError):
    """Episodes cannot go on; the message says what was expected, what came, and what to do."""


class Ended(Exception):
    """The node was told to end while a script was waiting."""


class Script:
    """Runs `work` beside the executor; what it returns becomes the result of `done`, the node's exit status.

    `work` may wait for services and topics, which a callback must not. An EpisodeError is logged, with status 1.
    """

    def __init__(self, node: Node, done: Future, work: Callable[[], int]) -> None:
        self.ending = threading.Event()
        self._node, self._done, self._work = node, done, work
        self._thread = threading.Thread(target=self._run, name="script", daemon=True)

    def start(self) -> None:
        """Begin; call it when the node is complete."""
        self._thread.start()

    def close(self) -> None:
        """End the script at its next wait."""
        self.ending.set()
        self._thread.join(5.0)

    def wait(self, event: threading.Event, timeout: float) -> bool:
        """Wait until the event is set or `timeout` (s) is over; raises Ended when the node is told to end."""
        until = time.monotonic() + timeout
        # In slices: the event and the end of the node are two things to wait for.
        while not event.wait(min(0.1, max(0.0, until - time.monotonic()))):
            if self.ending.is_set():
                raise Ended
            if time.monotonic() >= until:
                return False
        return True

    def _run(self) -> None:
        status = 1
        try:
            status = self._work()
        except Ended:
            return  # whoever ended the node set its status
        except (EpisodeError, OSError, ValueError) as error:
            self._node.get_logger().error(f"{error}")
        finally:
            if not self._done.done():
                self._done.set_result(status)


class EpisodeServices:
    """The bridge's and, if `recording`, the recorder's services, called from a script."""

    def __init__(self, node: Node, script: Script, recording: bool) -> None:
        self._script = script
        self._reset = node.create_client(Reset, "sim_bridge/reset")
        self._pause = node.create_client(SetBool, "sim_bridge/pause")
        self._start = node.create_client(StartEpisode, "recorder/start") if recording else None
        self._end = node.create_client(EndEpisode, "recorder/end") if recording else None

    def wait(self, timeout: float) -> None:
        """Wait until all services are there; raises EpisodeError naming those that are not."""
        until = time.monotonic() + timeout
        for client in self._clients():
            while not client.service_is_ready():
                if time.monotonic() >= until:
                    missing = ", ".join(c.service_name for c in self._clients() if not c.service_is_ready())
                    raise EpisodeError(
                        f"no service {missing} within {timeout:g} s; is that node up, in this namespace?"
                    )
                self._script.wait(threading.Event(), 0.05)

    def reset(self, seed: int) -> None:
        """Start the simulation's episode of this seed."""
        self.call(self._reset, Reset.Request(seed=seed))

    def pause(self, paused: bool) -> None:
        """Hold the simulation, which then publishes nothing, or let it go on."""
        self.call(self._pause, SetBool.Request(data=paused))

    def start_recording(self, behavior: str, name: str) -> str:
        """Open a bag; returns its path."""
        assert self._start is not None
        return str(self.call(self._start, StartEpisode.Request(behavior=behavior, name=name)).path)

    def end_recording(self, outcome: str) -> int:
        """Close the bag; returns how many messages it holds."""
        assert self._end is not None
        return int(self.call(self._end, EndEpisode.Request(outcome=outcome)).messages)

    def abandon_recording(self) -> None:
        """Ask for the open bag to be deleted, without waiting for the answer."""
        if self._end is not None and self._end.service_is_ready():
            self._end.call_async(EndEpisode.Request(discard=True))

    def _clients(self) -> list[Client]:
        return [client for client in (self._reset, self._pause, self._start, self._end) if client is not None]

    def call(self, client: Client, request: Any) -> Any:
        """The response of any service that says `success` and `message`; raises EpisodeError where it refuses."""
        answered = threading.Event()
        future = client.call_async(request)
        future.add_done_callback(lambda _: answered.set())
        # A response may arrive between the call and the callback's place in the list.
        if not future.done() and not self._script.wait(answered, SERVICE_TIMEOUT):
            raise EpisodeError(f"service '{client.service_name}' did not answer within {SERVICE_TIMEOUT:g} s")
        response = future.result()
        if not response.success:
            raise EpisodeError(f"service '{client.service_name}' refused: {response.message}")
        return response


@dataclass(frozen=True)
class EpisodeResult:
    """One episode. `first_success` is the step (from 1) at which the task was first achieved; `duration`, wall s."""

    first_success: int | None
    success_at_end: bool
    duration: float

    @property
    def succeeded(self) -> bool:
        """Whether the task was achieved at any time."""
        return self.first_success is not None


class OutcomeCounter:
    """Counts one episode's steps by the outcomes that the bridge publishes."""

    def __init__(self, node: Node, period: int) -> None:
        self._gap = period + round(GAP * 1e9)
        self._lock = threading.Lock()
        self._enough = threading.Event()
        self._last: int | None = None
        self._counting = False
        self._wanted = self._steps = 0
        self._first_success: int | None = None
        self._success = False
        self._begun = self._ended = 0.0
        node.create_subscription(Outcome, "outcome", self._receive, QoSProfile(depth=OUTCOME_DEPTH))

    def begin(self, steps: int) -> None:
        """Get ready for an episode of so many steps; call it before the reset."""
        with self._lock:
            self._enough.clear()
            self._wanted, self._steps, self._counting = steps, 0, self._last is None
            self._first_success, self._success = None, False
            self._begun = time.monotonic()

    def wait(self, script: Script, timeout: float) -> EpisodeResult:
        """Wait for the episode's last step; raises EpisodeError if nothing arrives for `timeout` (s)."""
        while True:
            before = self._steps
            if script.wait(self._enough, timeout):
                return EpisodeResult(self._first_success, self._success, self._ended - self._begun)
            if self._steps == before:
                raise EpisodeError(
                    f"expected {self._wanted} steps, found {before} and no more for {timeout:g} s; "
                    "the simulation's log says what it waits for"
                )

    def _receive(self, message: Outcome) -> None:
        stamp = Time.from_msg(message.header.stamp).nanoseconds
        with self._lock:
            if self._last is not None and stamp <= self._last:
                return  # said again while waiting for a command
            if self._last is None or stamp - self._last > self._gap:
                # A reset: what was counted before belongs to what ran then.
                self._counting, self._steps, self._first_success = True, 0, None
            self._last = stamp
            if not self._counting or self._enough.is_set():
                return
            self._count(bool(message.success))

    def _count(self, success: bool) -> None:
        self._steps += 1
        self._success = success
        if success and self._first_success is None:
            self._first_success = self._steps
        if self._steps == self._wanted:
            self._ended = time.monotonic()
            self._enough.set()
