"""Replay a bag's messages through the selection and alignment that run live; cut the frames into episodes."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dvf_ros.core.alignment import Aligner, Sample, TickGrid
from dvf_ros.core.selection import FieldSelector, SelectionError
from dvf_ros.core.spec import RobotSpec, Source
from dvf_ros.data.cutting import NO_CUTS, Cutting, EventGate
from dvf_ros.data.dataset import Episode
from dvf_ros.data.frames import FrameBuffer
from dvf_ros.data.outcomes import Outcomes
from dvf_ros.data.quick_reading import Reading
from dvf_ros.data.stamp_audit import StampAudit

# A tick waits this long (by the state's stamps) for actions and outcomes that were recorded a little later.
LAG_NS = 250_000_000
# Without data for this long, or for as long as a state may be old, the ticks start anew; shorter silences become ticks
# whose state is too old.
GAP_NS = 1_000_000_000


@dataclass(frozen=True)
class Label:
    """What is known about all episodes of a bag, from outside the messages."""

    source: str = ""
    source_digest: str = ""
    behavior: str = ""
    success: bool | None = None  # None: ask the outcome topic


@dataclass
class CutReport:
    """What became of a bag's ticks: `dropped` counts ticks by reason; `refused` messages by reason."""

    ticks: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    kept: list[dict[str, Any]] = field(default_factory=list)
    short: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class _Taker:
    """What becomes of a topic's messages for one source of the spec."""

    source: Source
    key: str
    aligner: Aligner
    selector: FieldSelector
    audit: StampAudit


class EpisodeCutter:
    """Turns messages, pushed in recorded order, into episodes of at least `min_frames` frames.

    A frame is a tick at which every state topic had a fresh, finite value. The action of frame k is what was
    last commanded before frame k+1 (masked if too old or not finite), its reward what the outcome said after frame k
    and up to frame k+1. An episode ends where the outcome says terminated or truncated, at a tick without a frame, at a
    gap, where time jumps back, where `cutting` says so, and at the end of the bag; all but `terminated` count as
    truncated. What was said once counts once. After a termination nothing counts until the outcome says that it goes
    on, an event begins an episode, or a gap lies between.
    """

    def __init__(
        self, spec: RobotSpec, label: Label = Label(), min_frames: int = 2, cutting: Cutting = NO_CUTS
    ) -> None:
        self.report = CutReport()
        self._spec = spec
        self._label = label
        self._min_frames = min_frames
        self._longest = cutting.longest
        # A limit below min_frames would leave nothing.
        self._most_frames = max(round(cutting.length * spec.rate), min_frames) if cutting.length else None
        self._events = EventGate(cutting)
        gap_ns = max(GAP_NS, *(round(1e9 * source.max_age) for source in spec.state))
        # Actions and outcomes wait for the slowest state.
        reach = (gap_ns + LAG_NS) * 1e-9
        self._state = Aligner(spec.state, reach)
        self._action, self._outcomes = Aligner(spec.action, reach), Outcomes(spec.outcome, reach)
        self._every: list[_Taker] = []
        self._takers: dict[str, list[_Taker]] = {}  # by topic
        for aligner in (self._state, self._action, self._outcomes.aligner):
            for source in aligner.sources:
                taker = _Taker(source, source.key, aligner, FieldSelector(source), StampAudit(source))
                self._every.append(taker)
                for topic in filter(None, (source.topic, source.static_topic)):
                    self._takers.setdefault(topic, []).append(taker)
        self._grid = TickGrid(spec.period_ns, gap_ns)
        self._waiting: deque[Sample] = deque()
        self._frames = FrameBuffer(spec)
        self._held: tuple[Episode, dict[str, Any]] | None = None  # the longest so far, where only that one is wanted
        self._last_tick: int | None = None
        self._moved = False  # the state has new values
        self._lost = 0  # ticks without a frame since the last episode
        self._over = False  # the outcome ended the episode and has not begun another

    @property
    def audits(self) -> list[StampAudit]:
        """What the stamps of each source did."""
        return [taker.audit for taker in self._every]

    @property
    def order_changes(self) -> dict[str, int]:
        """How often name[] changed, by source; joints are told by name, so nothing is wrong with that."""
        return {taker.key: n for taker in self._every if (n := taker.selector.order_changes)}

    @property
    def silent(self) -> tuple[str, ...]:
        """The state's sources that never reported."""
        return tuple(item.source.key for item in self.audits if item.source in self._spec.state and not item.messages)

    def sources(self, topic: str) -> list[Source]:
        """The sources that the spec takes from `topic`, in the order of `push_readings`."""
        return [taker.source for taker in self._takers.get(topic, ())]

    def push(self, topic: str, receive_ns: int, message: Any, publish_ns: int = 0) -> Sequence[Episode]:
        """Take in one message of the spec's `topic`; returns the episodes that it completes."""
        done: list[Episode] = []
        for taker in self._takers.get(topic, ()):
            selector = taker.selector
            try:
                for part in selector.parts(message, topic):
                    stamp, values = selector.stamp(part, receive_ns, publish_ns), selector.select(part)
                    header = getattr(part, "header", None)
                    done += self._take(taker, stamp, receive_ns, header and header.frame_id, values)
            except SelectionError as error:
                self.report.refused[str(error)] += 1
        return done + self._advance() if self._moved else done

    def push_readings(
        self, topic: str, receive_ns: int, readings: Sequence[Reading], publish_ns: int = 0
    ) -> Sequence[Episode]:
        """The same, of a message that did not have to be decoded: what it says of each of the topic's sources."""
        done: list[Episode] = []
        for taker, (header_ns, frame, values) in zip(self._takers[topic], readings, strict=True):
            try:
                stamp = taker.selector.time(header_ns, receive_ns, publish_ns)
                taker.selector.check(values)
                done += self._take(taker, stamp, receive_ns, frame, values)
            except SelectionError as error:
                self.report.refused[str(error)] += 1
        return done + self._advance() if self._moved else done

    def _take(
        self, taker: _Taker, stamp: int, receive_ns: int, frame: str | None, values: np.ndarray
    ) -> Sequence[Episode]:
        aligner, audit, key = taker.aligner, taker.audit, taker.key
        done: Sequence[Episode] = ()
        if not stamp and not audit.may_be_zero:
            raise SelectionError(f"topic '{taker.source.topic}': the header's stamp is zero; write stamp: receive")
        audit.add(stamp, receive_ns, frame)
        if aligner.jumps_back(key, stamp):
            done = self._settle(None)
            if aligner is self._state:
                done += self._restart()
            audit.restart()
        aligner.push(key, stamp, values)
        self._moved |= aligner is self._state
        return done

    def _advance(self) -> list[Episode]:
        """What the state's newest values complete."""
        self._moved = False
        watermark = self._state.watermark
        if watermark is None:
            return []
        for tick in self._grid.due(watermark):
            self._waiting.append(self._state.sample(tick))
        if self._waiting and self._waiting[0].stamp <= watermark - LAG_NS:
            return self._settle(watermark - LAG_NS)
        return []

    def event(self, topic: str) -> None:
        """Take in an event: it cuts after the state that has been heard so far."""
        self._events.add(topic, self._state.newest)

    def finish(self) -> Sequence[Episode]:
        """The last episode, at the end of the bag."""
        self._waiting.extend(map(self._state.sample, self._grid.due(self._state.end)))
        done = [*self._settle(None), *self._cut("end of the bag")]
        if self._held is not None:
            episode, about = self._held
            self.report.kept.append(about)
            done.append(episode)
        return done

    def _restart(self) -> Sequence[Episode]:
        done = self._cut("time jumped back")
        # Old actions must not be taken for new ones where the stamps overlap.
        for held in (self._state, self._action, self._outcomes):
            held.clear()
        self._grid.restart()
        self._events.reached(None)  # their stamps are of the time before
        self._last_tick, self._over = None, False
        return done

    def _settle(self, until: int | None) -> list[Episode]:
        done: list[Episode] = []
        while self._waiting and (until is None or self._waiting[0].stamp <= until):
            done += self._settle_tick(self._waiting.popleft())
        return done

    def _settle_tick(self, sample: Sample) -> Sequence[Episode]:
        done: list[Episode] = []
        period = self._spec.period_ns
        since = period if self._last_tick is None else sample.stamp - self._last_tick
        self._last_tick = sample.stamp
        skipped = max(since // period - 1, 0)
        self.report.ticks += 1 + skipped
        if since != period:
            done += self._cut("gap in the data")
            self._drop("gap in the data", skipped)
            self._over = False
        for topic in self._events.reached(sample.stamp):
            done += self._cut(f"event on {topic}")
            self._over &= not self._events.begins(topic)
        problem = sample.problem or ("" if np.isfinite(sample.values).all() else "state not finite")
        if problem or not self._events.inside:
            done += self._cut(problem)
            self._drop(problem or "outside of the events that begin and end an episode")
            return done
        outcome = self._outcomes.at(sample.stamp)
        if self._over and (outcome.ends or not outcome.known):
            self._drop("after the episode's end")
            return done
        ends = outcome.ends if outcome.new else ()
        if self._most_frames and len(self._frames) == self._most_frames:
            done += self._cut("fixed length")
        if len(self._frames):
            before = self._action.sample(sample.stamp - 1)
            action = before.values if before.valid and np.isfinite(before.values).all() else None
            self._frames.answer(action, outcome.reward)
        self._frames.append(sample, outcome.success)
        self._over = bool(ends)
        if ends:
            done += self._cut(ends[0], ends[0] == "terminated")
        return done

    def _drop(self, reason: str, ticks: int = 1) -> None:
        if ticks:
            self.report.dropped[reason] += ticks
            self._lost += ticks

    def _cut(self, reason: str, terminated: bool = False) -> Sequence[Episode]:
        frames = self._frames
        if not len(frames):
            return ()
        about = {"start": frames.start, "frames": len(frames), "end": reason}
        if len(frames) < self._min_frames:
            self.report.short.append(about)
            self._drop(f"episode shorter than {self._min_frames} frames", len(frames))
            frames.clear()
            return ()
        success = self._label.success
        episode = Episode(
            **frames.copy(),
            behavior=self._label.behavior,
            success=success if success is not None else frames.success,
            terminated=terminated,
            truncated=not terminated,
            source=self._label.source,
            source_digest=self._label.source_digest,
            quality=frames.quality(self._lost),
        )
        frames.clear()
        self._lost = 0
        if not self._longest:
            self.report.kept.append(about)
            return (episode,)
        held = self._held
        if held is None or len(held[0].states) < len(episode.states):
            self._held = (episode, about)
        if held is not None:
            shorter = min(len(held[0].states), len(episode.states))
            self.report.dropped["not the longest stretch of the bag"] += shorter
        return ()
