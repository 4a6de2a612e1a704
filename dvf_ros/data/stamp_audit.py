"""What the stamps and headers of one source did while a bag was replayed: whatever is odd is counted."""

from __future__ import annotations

from typing import Any

from dvf_ros.core.spec import RobotSpec, Source
from dvf_ros.data.topic_timing import EARLIEST_WALL_NS

FRAMES = 5  # frame_ids that are named


class StampAudit:
    """Counts messages whose stamp is older than the one before, or the same; simulated time; changes of frame_id."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.messages = self.out_of_order = self.repeated = self.recorded_late = 0
        self.simulated = False
        self.frames: list[str] = []
        self.frame_changes = 0
        self._newest = self._received = self._last = -1
        self._frame: str | None = None

    def add(self, stamp: int, receive_ns: int, frame: str | None) -> None:
        """Take in one message by the time (ns) that counts for it, that of its recording, and its frame_id if any."""
        self._last = stamp
        if stamp > self._newest:
            self._newest = stamp
        elif stamp == self._newest:
            self.repeated += 1
        else:
            self.out_of_order += 1
        if receive_ns < self._received:
            self.recorded_late += 1
        self._received = receive_ns
        if not self.messages:
            self.simulated = stamp < EARLIEST_WALL_NS <= receive_ns
        self.messages += 1
        if frame is not None and frame != self._frame:
            self.frame_changes += self._frame is not None
            self._frame = frame
            if self._frame not in self.frames and len(self.frames) < FRAMES:
                self.frames.append(self._frame)

    @property
    def may_be_zero(self) -> bool:
        """Whether a stamp of zero can be meant: simulated time begins with it, once; else it says that none was set."""
        return not self.messages or (self.simulated and self._last != 0)

    def restart(self) -> None:
        """Time jumped back: what comes is judged by itself."""
        self._newest = -1

    def to_report(self) -> dict[str, Any]:
        """What the conversion report says of the source: how it was read, and what was odd."""
        odd = {
            "out_of_order": self.out_of_order,
            "repeated": self.repeated,
            "recorded_late": self.recorded_late,
            "simulated": self.simulated,
            "frame_ids": self.frames if self.frame_changes else [],
        }
        return {
            "stamp": self.source.stamp,
            "messages": self.messages,
            "resample": _resampling(self.source),
            **{name: value for name, value in odd.items() if value},
        }

    def warnings(self) -> list[str]:
        """The same, of what may spoil the numbers, for people."""
        found = []
        if self.simulated and self.source.stamp == "header":
            found.append("header stamps are simulated time; rate and ages count in it")
        if self.out_of_order:
            found.append(f"{self.out_of_order} stamps are older than one before; they count if no tick passed them")
        if self.repeated:
            found.append(f"{self.repeated} stamps repeat the one before; the later message counts")
        if self.frame_changes:
            names = ", ".join(f"'{frame}'" for frame in self.frames)
            found.append(f"frame_id changes ({self.frame_changes} times: {names}); one vector would mix frames")
        return [f"{self.source.key}: {text}" for text in found]


def _resampling(source: Source) -> str:
    if source.resample == "hold":
        return "hold"
    rotations = any(item.kind == "quaternion" for item in source.fields)
    return "linear, slerp" if rotations else "linear"


def frame_warnings(audits: list[StampAudit], spec: RobotSpec) -> list[str]:
    """Actions that were recorded in another frame than the one that commands are sent in."""
    frames = {audit.source: audit.frames for audit in audits}
    found = []
    for source in spec.action:
        others = ", ".join(f"'{frame}'" for frame in frames[source] if frame not in ("", spec.frame))
        if others:
            found.append(
                f"{source.key}: expected commands in the spec's frame '{spec.frame}', which learned ones are sent in,"
                f" found {others}: the robot would move another way; write the commands' frame into the spec"
            )
    return found


def clock_warnings(audits: list[StampAudit]) -> list[str]:
    """Sources whose clocks cannot meet at one tick."""
    heard = [audit for audit in audits if audit.messages]
    simulated = [audit.source.key for audit in heard if audit.simulated]
    wall = [audit.source.key for audit in heard if not audit.simulated]
    if not simulated or not wall:
        return []
    return [
        f"clocks disagree: {', '.join(simulated)} go by simulated time, {', '.join(wall)} by real time; they never meet"
        " at a tick: write stamp: receive for all of them"
    ]
