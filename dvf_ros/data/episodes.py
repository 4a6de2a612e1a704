"""Replay a bag's messages through the selection and alignment that run live; cut the frames into episodes."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dvf_ros.core.alignment import Aligner, Sample, TickGrid
from dvf_ros.core.selection import FieldSelector, SelectionError
from dvf_ros.core.spec import RobotSpec, Source
from dvf_ros.data.dataset import Episode

# A tick waits this long (by the state's stamps) for actions and outcomes that were recorded a little later.
LAG_NS = 250_000_000
# Without data for this long the ticks start anew; shorter silences become ticks whose state is too old.
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


@dataclass
class _Track:
    """One part of the spec (state, action or outcome): where its messages go."""

    aligner: Aligner
    selectors: dict[str, FieldSelector]

    @classmethod
    def of(cls, sources: tuple[Source, ...]) -> _Track:
        return cls(Aligner(sources), {source.topic: FieldSelector(source) for source in sources})


@dataclass
class _Frame:
    stamp: int
    state: np.ndarray
    ages: tuple[float, ...]
    success: bool | None
    # What led here from the frame before; None where it is not known.
    action: np.ndarray | None = None
    reward: float | None = None


class EpisodeCutter:
    """Turns messages, pushed in recorded order, into episodes of at least `min_frames` frames.

    A frame is a tick at which every state topic had a fresh, finite value. The action of frame k is what was
    last commanded before frame k+1 (masked if too old or not finite), its reward what the outcome said at frame
    k+1. An episode ends where the outcome says terminated or truncated, at a tick without a frame, at a gap,
    where time jumps back, and at the end of the bag; all but `terminated` count as truncated.
    """

    def __init__(self, spec: RobotSpec, label: Label = Label(), min_frames: int = 2) -> None:
        self.report = CutReport()
        self._spec = spec
        self._label = label
        self._min_frames = min_frames
        self._state, self._action = _Track.of(spec.state), _Track.of(spec.action)
        self._outcome = _Track.of((spec.outcome,) if spec.outcome else ())
        self._outcome_index = _index(spec.outcome) if spec.outcome else {}
        self._grid = TickGrid(spec.period_ns, GAP_NS)
        self._waiting: deque[Sample] = deque()
        self._frames: list[_Frame] = []
        self._last_tick: int | None = None
        self._lost = 0  # ticks without a frame since the last episode
        self._over = False  # the outcome ended the episode and has not begun another

    def push(self, topic: str, receive_ns: int, message: Any) -> Iterator[Episode]:
        """Take in one message of the spec's `topic`; yields the episodes that it completes."""
        for track in (self._state, self._action, self._outcome):
            selector = track.selectors.get(topic)
            if selector is None:
                continue
            try:
                stamp, values = selector.stamp(message, receive_ns), selector.select(message)
            except SelectionError as error:
                self.report.refused[str(error)] += 1
                continue
            if track.aligner.jumps_back(topic, stamp):
                yield from self._settle(None)
                if track is self._state:
                    yield from self._restart()
            track.aligner.push(topic, stamp, values)
        watermark = self._state.aligner.watermark
        self._waiting.extend(self._state.aligner.sample(tick) for tick in self._grid.due(watermark))
        if watermark is not None:
            yield from self._settle(watermark - LAG_NS)

    def finish(self) -> Iterator[Episode]:
        """Yield the last episode, at the end of the bag."""
        yield from self._settle(None)
        yield from self._cut("end of the bag")

    def _restart(self) -> Iterator[Episode]:
        yield from self._cut("time jumped back")
        # Old actions must not be taken for new ones where the stamps overlap.
        for track in (self._state, self._action, self._outcome):
            track.aligner.clear()
        self._grid.restart()
        self._last_tick, self._over = None, False

    def _settle(self, until: int | None) -> Iterator[Episode]:
        while self._waiting and (until is None or self._waiting[0].stamp <= until):
            yield from self._settle_tick(self._waiting.popleft())

    def _settle_tick(self, sample: Sample) -> Iterator[Episode]:
        period = self._spec.period_ns
        since = period if self._last_tick is None else sample.stamp - self._last_tick
        self._last_tick = sample.stamp
        skipped = max(since // period - 1, 0)
        self.report.ticks += 1 + skipped
        if since != period:
            yield from self._cut("gap in the data")
            self._drop("gap in the data", skipped)
        problem = sample.problem or ("" if np.isfinite(sample.values).all() else "state not finite")
        if problem:
            yield from self._cut(problem)
            self._drop(problem)
            return
        outcome = self._outcome.aligner.sample(sample.stamp)
        known = outcome.valid and bool(self._outcome_index)
        terminated = self._said("terminated", outcome) is True
        truncated = self._said("truncated", outcome) is True
        if self._over and (terminated or truncated or not known):
            self._drop("after the episode's end")
            return
        frame = _Frame(sample.stamp, sample.values, sample.ages, self._said("success", outcome))
        if self._frames:
            before = self._action.aligner.sample(sample.stamp - 1)
            frame.action = before.values if before.valid and np.isfinite(before.values).all() else None
            frame.reward = self._reward(outcome)
        self._frames.append(frame)
        self._over = terminated or truncated
        if self._over:
            yield from self._cut("terminated" if terminated else "truncated", terminated)

    def _said(self, name: str, outcome: Sample) -> bool | None:
        if name not in self._outcome_index or not outcome.valid:
            return None
        return bool(outcome.values[self._outcome_index[name]] > 0.5)

    def _reward(self, outcome: Sample) -> float | None:
        if "reward" not in self._outcome_index or not outcome.valid:
            return None
        reward = float(outcome.values[self._outcome_index["reward"]])
        return reward if np.isfinite(reward) else None

    def _drop(self, reason: str, ticks: int = 1) -> None:
        if ticks:
            self.report.dropped[reason] += ticks
            self._lost += ticks

    def _cut(self, reason: str, terminated: bool = False) -> Iterator[Episode]:
        frames, self._frames = self._frames, []
        if not frames:
            return
        about = {"start": frames[0].stamp, "frames": len(frames), "end": reason}
        if len(frames) < self._min_frames:
            self.report.short.append(about)
            self._drop(f"episode shorter than {self._min_frames} frames", len(frames))
            return
        episode = self._episode(frames, terminated)
        self._lost = 0
        self.report.kept.append(about)
        yield episode

    def _episode(self, frames: list[_Frame], terminated: bool) -> Episode:
        length = len(frames)
        actions = np.zeros((length, self._spec.action_size), np.float32)
        rewards = np.zeros(length, np.float32)
        action_mask, reward_mask = np.zeros(length, bool), np.zeros(length, bool)
        for k, after in enumerate(frames[1:]):
            if after.action is not None:
                actions[k], action_mask[k] = after.action, True
            if after.reward is not None:
                rewards[k], reward_mask[k] = after.reward, True
        said = [frame.success for frame in frames if frame.success is not None]
        ages = np.array([frame.ages for frame in frames])
        steps = max(length - 1, 1)
        return Episode(
            states=np.stack([frame.state for frame in frames]),
            actions=actions,
            action_mask=action_mask,
            rewards=rewards,
            reward_mask=reward_mask,
            stamps=np.array([frame.stamp for frame in frames], np.int64),
            behavior=self._label.behavior,
            success=self._label.success if self._label.success is not None else (any(said) if said else None),
            terminated=terminated,
            truncated=not terminated,
            source=self._label.source,
            source_digest=self._label.source_digest,
            quality={
                "ticks_dropped": self._lost / (self._lost + length),
                "age_mean": float(ages.mean()),
                "age_max": float(ages.max()),
                "action_coverage": float(action_mask.sum() / steps),
                "reward_coverage": float(reward_mask.sum() / steps),
            },
        )


def _index(outcome: Source) -> dict[str, int]:
    starts = np.cumsum([0, *(item.size for item in outcome.fields)])
    return {item.name: int(start) for item, start in zip(outcome.fields, starts[:-1], strict=True)}
