"""Record the spec's topics into one bag per episode, without decoding a message."""

from __future__ import annotations

import contextlib
import json
import queue
import sys
import time
from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from diagnostic_updater import DiagnosticStatusWrapper
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.task import Future

from dvf_ros.nodes.clocks import at_most_every
from dvf_ros.nodes.diagnostics import steady_updater
from dvf_ros.nodes.parameters import declare, told_together
from dvf_ros.nodes.rates import RateWatch
from dvf_ros.nodes.recorder_report import diagnose, losses
from dvf_ros.nodes.recording import RecordedTopic, Recording
from dvf_ros.nodes.robot_spec import declare_spec, load_spec
from dvf_ros.nodes.runtime import run
from dvf_ros.nodes.taps import Tap
from dvf_ros.srv import EndEpisode, StartEpisode

FOLLOW_PERIOD = 0.1  # s between looks at the publishers,
WATCH_PERIOD = 0.05  # and at the rates
LATCHED = 100  # messages of one topic, such as /tf_static, that go into every bag
QUIET_PERIOD = 0.02  # s without a message published before the end: they all have arrived
QUIET_LIMIT = 2.0  # s to wait for that at most


_Received = tuple[RecordedTopic, bytes, Mapping[str, Any]]


class Recorder(Node):
    """Services `~/start` and `~/end` bound an episode; each gets a bag in the folder `output`."""

    def __init__(self) -> None:
        super().__init__("recorder")
        with told_together(self):
            spec = declare_spec(self)
            self._output = Path(declare(self, "output", "bags", "Folder that gets one bag per episode."))
            extra = declare(self, "extra_topics", [""], "More topics to record, of any type; empty names are skipped.")
            autostart = declare(self, "autostart", False, "Begin to record at once, without the service ~/start.")
            self._behavior = declare(self, "behavior", "", "Label of who acts, for what `autostart` records.")
            text = "Longest time (s) until a message is safe from the death of this process."
            self._flush_period = declare(self, "flush_period", 0.25, text, low=0.05, high=1.0)
        self._spec = load_spec(spec)
        sources = [*self._spec.state, *self._spec.action, *([self._spec.outcome] if self._spec.outcome else [])]
        wanted = [(source.topic, source.type) for source in sources]
        wanted += [(source.static_topic, source.type) for source in sources if source.static_topic]
        wanted += [(topic, "") for topic in extra if topic]
        # A topic may be named in two ways, `tip` and `/tip`; the spec, which comes first, says its type.
        topics: dict[str, tuple[str, str]] = {}
        for topic, kind in wanted:
            topics.setdefault(self.resolve_topic_name(topic), (topic, kind))
        self._recording: Recording | None = None
        self._ending_ns: int | None = None
        self._asked: tuple[str, bool] | None = None  # outcome and discard, while ~/end waits for the last messages
        self._taken = 0
        self._early: Counter[str] = Counter()
        self._latched: defaultdict[str, deque[_Received]] = defaultdict(lambda: deque(maxlen=LATCHED))
        self._latched_due = False
        self._lost_before: dict[str, int] = {}
        self._noted: dict[str, dict[str, int]] = {}
        # A state topic that is older than max_age stops the robot: it cannot be meant to be slower than that.
        least = {self.resolve_topic_name(source.topic): 1 / source.max_age for source in self._spec.state}
        self._rates = {name: RateWatch(least.get(name, 0.0)) for name in topics}
        self._slow: list[str] = []
        self._taps = [Tap(self, topic, kind, self._receive) for topic, kind in topics.values()]
        # Looking after publishers and closing a bag must go on while simulated time stands still.
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(FOLLOW_PERIOD, self._follow, clock=self._steady)
        self.create_timer(WATCH_PERIOD, self._watch_rates, clock=self._steady)
        self.create_service(StartEpisode, "~/start", self._on_start)
        # A group of its own: while it waits for the last messages, they and its timer must be served.
        self.create_service(EndEpisode, "~/end", self._on_end, callback_group=MutuallyExclusiveCallbackGroup())
        self._updater = steady_updater(self, self._spec.robot)
        self._updater.add("recording", self._diagnose)
        if autostart:
            self._begin("", self._behavior)

    def close(self) -> None:
        """Take in what has arrived, and close the bag if one is open, in the way that a pending `~/end` asks for."""
        if self._recording:
            self._settle()
        if self._recording:  # ~/end may have closed it meanwhile
            try:
                self._end(*(self._asked or ("", False)))
            except OSError as error:
                self.get_logger().error(str(error))

    def _settle(self) -> None:
        """Spin until nothing arrives for QUIET_PERIOD, and until whoever called `~/end` has the answer."""
        self._ending_ns = self._ending_ns or time.time_ns()
        deadline, before = time.monotonic() + QUIET_LIMIT, -1
        while self._recording and (self._asked or self._taken != before) and time.monotonic() < deadline:
            before = self._taken
            until = time.monotonic() + QUIET_PERIOD
            while time.monotonic() < until:
                # Always the same number: for another one rclpy begins its round anew, with ~/end, and gets no further.
                self.executor.spin_once(timeout_sec=QUIET_PERIOD)

    def _follow(self) -> None:
        for tap in self._taps:
            tap.follow()
        if self._recording is None:
            return
        if self._recording.error:
            self.get_logger().error(f"recording stopped: {self._recording.error}", **at_most_every(5.0))
        self._note_losses(self._recording)

    def _note_losses(self, recording: Recording) -> None:
        """Keep what was lost in the bag too as it happens: nobody may come to end the episode."""
        lost = self._losses(recording)
        if lost != self._noted:
            with contextlib.suppress(queue.Full):  # then later
                recording.note({"lost": json.dumps(lost)})
                self._noted = lost

    def _watch_rates(self) -> None:
        if self._recording is None:
            return
        now = self._now()
        slow = [name for name, watch in self._rates.items() if watch.low(now)]
        for name in sorted(set(slow) - set(self._slow)):
            watch = self._rates[name]
            self.get_logger().warning(
                f"topic '{name}': expected {watch.expected:.1f} Hz, found {watch.rate(now):.1f} Hz"
            )
        if slow != self._slow:
            self._slow = slow
            self._updater.force_update()  # at once, not with the next second

    def _now(self) -> int:
        """The clock (ns) in which messages are received: simulated, if that is used."""
        return self.get_clock().now().nanoseconds if self.get_clock().ros_time_is_active else time.time_ns()

    def _losses(self, recording: Recording) -> dict[str, dict[str, int]]:
        transport = {tap.name: tap.lost - self._lost_before[tap.name] for tap in self._taps}
        return losses(
            transport=transport, backlog=recording.backlog_lost, disk=recording.disk_lost, before_clock=self._early
        )

    def _receive(self, topic: RecordedTopic, data: bytes, info: Mapping[str, Any]) -> None:
        published = info["source_timestamp"]
        received = self._now() if self.get_clock().ros_time_is_active else info["received_timestamp"]
        self._rates[topic.name].take(received)
        latched = topic.qos.durability == "transient_local"
        if self._recording and (self._ending_ns is None or published <= self._ending_ns):
            if received:
                self._put_latched(self._recording)
                self._taken += 1
                self._recording.put(topic, received, published, data, info["publication_sequence_number"])
            elif not latched:  # a bag in which time begins in 1970 is of no use
                self._early[topic.name] += 1
        if latched:
            self._latched[topic.name].append((topic, data, info))

    def _put_latched(self, recording: Recording) -> None:
        """Put what is published once and for all, which belongs into every bag, as soon as there is a time for it."""
        if not self._latched_due or not (now := self._now()):
            return
        self._latched_due = False
        for latched in self._latched.values():
            for topic, data, info in latched:
                recording.put(topic, now, info["source_timestamp"], data, info["publication_sequence_number"])

    def _begin(self, name: str, behavior: str) -> Path:
        """Open a bag; raises ValueError or OSError with what to tell the caller."""
        if self._recording:
            raise ValueError(f"'{self._recording.folder}' is being recorded; end it first")
        if problems := [tap.problem for tap in self._taps if tap.problem]:
            raise ValueError("; ".join(problems))
        name = name or f"{self._spec.task}_{datetime.now(UTC):%Y%m%d_%H%M%S_%f}"
        if Path(name).name != name or name.startswith("."):
            raise ValueError(f"expected the name of a folder inside '{self._output}', found '{name}'")
        custom = {
            "name": name,
            "behavior": behavior,
            "namespace": self.get_namespace().rstrip("/"),
            "spec_digest": self._spec.digest,
            "spec": self._spec.text,
        }
        self._recording = Recording(self._output / name, custom, self._flush_period)
        self._early.clear()
        self._noted, self._slow = {}, []
        for watch in self._rates.values():
            watch.restart(self._now())
        self._lost_before = {tap.name: tap.lost for tap in self._taps}
        self._latched_due = True
        self._put_latched(self._recording)
        self.get_logger().info(f"recording '{self._recording.folder}'")
        return self._recording.folder

    def _end(self, outcome: str, discard: bool) -> int:
        """Close the bag or delete it, returning its messages; raises OSError with what to tell the caller."""
        recording, self._recording = self._recording, None
        self._ending_ns = self._asked = None
        assert recording is not None
        if discard:
            return recording.discard()
        self._put_latched(recording)
        lost = self._losses(recording)
        problems = "; ".join(tap.problem for tap in self._taps if tap.problem)
        messages = recording.end({"outcome": outcome, "lost": json.dumps(lost), "problems": problems})
        total = sum(sum(causes.values()) for causes in lost.values())
        self.get_logger().info(f"closed '{recording.folder}': {messages} messages, {total} lost")
        return messages

    def _on_start(self, request: Any, response: Any) -> Any:
        try:
            response.path = str(self._begin(request.name, request.behavior))
            response.success = True
        except (ValueError, OSError) as error:
            response.message = str(error)
            self.get_logger().error(response.message)
        return response

    async def _on_end(self, request: Any, response: Any) -> Any:
        recording = self._recording
        if recording is None or self._asked is not None:
            response.message = "nothing is being recorded" if recording is None else "the episode is ending already"
            return response
        response.path = str(recording.folder)
        self._asked = (request.outcome, request.discard)
        # Messages published before this call may still be on their way. Where `close` came first, its time holds.
        self._ending_ns = self._ending_ns or time.time_ns()
        await self._quiet()
        if self._recording is not recording:
            response.message = f"the recorder was told to end and closed '{recording.folder}' itself; see its log"
            return response
        try:
            response.messages = self._end(request.outcome, request.discard)
            response.success = True
        except OSError as error:
            response.message = str(error)
            self.get_logger().error(response.message)
        return response

    def _quiet(self) -> Future:
        """A future that is done when nothing has arrived for QUIET_PERIOD."""
        done = Future(executor=self.executor)
        deadline, before = time.monotonic() + QUIET_LIMIT, -1

        def look() -> None:
            nonlocal before
            if self._taken == before or time.monotonic() > deadline:
                self.destroy_timer(timer)
                done.set_result(None)
            before = self._taken

        timer = self.create_timer(QUIET_PERIOD, look, clock=self._steady)
        return done

    def _diagnose(self, status: DiagnosticStatusWrapper) -> DiagnosticStatusWrapper:
        lost = self._losses(self._recording) if self._recording else {}
        return diagnose(status, self._recording, self._taps, self._rates, self._slow, lost, self._now())


def main() -> int:
    """Run the recorder; returns the process's exit status."""
    return run(Recorder)


if __name__ == "__main__":
    sys.exit(main())
