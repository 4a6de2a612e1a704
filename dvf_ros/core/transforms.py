"""A frame's pose in another, several transforms away: what tf2 looks up, out of the messages alone."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from dvf_ros.core.interpolation import slerp

NORM_LEAST, NORM_MOST = 0.9**2, 1.1**2  # squared; filters and float32 leave a rotation far closer to 1
DEPTH = 512  # transforms kept of each pair of frames, at least
KEPT_NS = 1_000_000_000  # and all that came so shortly before the newest, max_age besides
FORGET_NS = 10_000_000_000  # what has moved no more for so long, and lies on no way that is asked for, is forgotten
BACKWARD_JUMP_NS = 500_000_000


class Pose(NamedTuple):
    """A frame in another: `place` (3,), and `turn` (4,) as a quaternion x, y, z, w."""

    place: np.ndarray
    turn: np.ndarray


def compose(outer: Pose, inner: Pose) -> Pose:
    """The pose of a frame that is `inner` in a frame that is `outer`."""
    return Pose(outer.place + rotate(outer.turn, inner.place), multiply(outer.turn, inner.turn))


def invert(pose: Pose) -> Pose:
    """The pose of the outer frame in the inner one."""
    turn = pose.turn * np.array([-1.0, -1.0, -1.0, 1.0]) / (pose.turn @ pose.turn)
    return Pose(-rotate(turn, pose.place), turn)


def multiply(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Hamilton's product of two quaternions (4,) x, y, z, w."""
    vector = left[3] * right[:3] + right[3] * left[:3] + np.cross(left[:3], right[:3])
    return np.append(vector, left[3] * right[3] - left[:3] @ right[:3])


def rotate(turn: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """`vector` (3,) turned by a quaternion (4,) of norm 1."""
    twice = 2 * np.cross(turn[:3], vector)
    return vector + turn[3] * twice + np.cross(turn[:3], twice)


class _Link:
    """The transforms from one frame to its parent, ordered by stamp; a static one counts at any time."""

    def __init__(self, parent: str, static: bool, kept_ns: int) -> None:
        self.parent, self.static = parent, static
        self._kept_ns = kept_ns
        self.stamps: list[int] = []
        self._poses: list[Pose] = []

    def add(self, stamp: int, pose: Pose) -> None:
        if self.static or (self.stamps and stamp < self.stamps[-1] - BACKWARD_JUMP_NS):
            self.stamps, self._poses = [], []
        place = bisect.bisect_left(self.stamps, stamp)
        if place < len(self.stamps) and self.stamps[place] == stamp:
            self._poses[place] = pose
            return
        self.stamps.insert(place, stamp)
        self._poses.insert(place, pose)
        old = min(bisect.bisect_left(self.stamps, self.stamps[-1] - self._kept_ns), len(self.stamps) - DEPTH)
        if old >= DEPTH:  # many at once: each cut moves all that is left
            del self.stamps[:old], self._poses[:old]

    def at(self, stamp: int, max_age: float) -> Pose | None:
        """Between the transforms before and after `stamp` (ns), by line and arc; None where they are too far away."""
        if self.static:
            return self._poses[0]
        place = bisect.bisect_right(self.stamps, stamp) - 1
        if place < 0:
            return None
        before, pose = self.stamps[place], self._poses[place]
        if before == stamp:
            return pose
        after = self.stamps[place + 1]  # `stamp` is not after the newest
        if (after - before) * 1e-9 > max_age:
            return None
        share, other = (stamp - before) / (after - before), self._poses[place + 1]
        return Pose(pose.place + share * (other.place - pose.place), slerp(pose.turn, other.turn, share))


class FrameTree:
    """All transforms heard, and the pose of frame `child` in frame `parent` as soon as every link of it is known.

    Each pose belongs to the newest time at which all moving links between the two have one; links are joined by line
    and arc, as tf2 does, but never over more than `max_age` (s). Static links count at any time. Moving ones that lead
    to neither of the two are forgotten when they fall silent: a tracker may give each thing it sees a frame of its own.
    """

    def __init__(self, parent: str, child: str, max_age: float) -> None:
        self.parent, self.child = parent.lstrip("/"), child.lstrip("/")
        self._max_age = max_age
        self._links: dict[str, _Link] = {}
        self._given: int | None = None
        self._swept = 0

    def add(self, transforms: Sequence[Any], static: bool) -> Any | None:
        """Take in a message's transforms; returns a new TransformStamped of the two frames, None where there is none.

        Its stamp (ns) is that of the newest transform of the message where no link between the frames moves. Transforms
        that are turned by no rotation are left out, as tf2 does; raises ValueError for one between the two frames.
        """
        newest, norms = 0, {}
        for part in transforms:
            frame, parent = part.child_frame_id.lstrip("/"), part.header.frame_id.lstrip("/")
            motion, stamp = part.transform, _stamp(part)
            turn = np.array([motion.rotation.x, motion.rotation.y, motion.rotation.z, motion.rotation.w])
            if not NORM_LEAST <= (norm := float(turn @ turn)) <= NORM_MOST:
                norms[frame] = norm**0.5
                continue
            link = self._links.get(frame)
            if link is None or (link.parent, link.static) != (parent, static):
                link = self._links[frame] = _Link(parent, static, KEPT_NS + round(self._max_age * 1e9))
            place = np.array([motion.translation.x, motion.translation.y, motion.translation.z])
            link.add(stamp, Pose(place, turn))
            newest = max(newest, stamp)
        if not static and abs(newest - self._swept) >= KEPT_NS:  # seldom, since it looks at all links
            self._sweep(newest)
        for frame, norm in norms.items():
            if frame in self._wanted():
                raise ValueError(f"frame '{frame}': expected a rotation, a quaternion of norm 1; found norm {norm:.3g}")
        sides = self._path()
        if sides is None:
            return None
        times = [link.stamps[-1] for side in sides for link in side if not link.static]
        stamp = min(times, default=newest)
        if self._given is not None and self._given - BACKWARD_JUMP_NS <= stamp <= self._given:
            return None
        poses = [self._along(side, stamp) for side in sides]
        if poses[0] is None or poses[1] is None:
            return None
        self._given = stamp
        return self._message(stamp, compose(invert(poses[1]), poses[0]))

    def _sweep(self, newest: int) -> None:
        wanted = self._wanted()
        self._links = {
            frame: link
            for frame, link in self._links.items()
            if link.static or frame in wanted or abs(newest - link.stamps[-1]) <= FORGET_NS
        }
        self._swept = newest

    def _wanted(self) -> set[str]:
        """The two frames and all that they hang below."""
        return {*self._ancestors(self.child), *self._ancestors(self.parent)}

    def connects(self) -> bool:
        """Whether the transforms heard lead from one frame to the other."""
        return self._path() is not None

    def _path(self) -> tuple[list[_Link], list[_Link]] | None:
        """The links from the child, and those from the parent, up to the first frame that both hang below."""
        child, parent = self._ancestors(self.child), self._ancestors(self.parent)
        shared = next((frame for frame in child if frame in parent), None)
        if shared is None:
            return None
        return self._links_up(child[: child.index(shared)]), self._links_up(parent[: parent.index(shared)])

    def _ancestors(self, frame: str) -> list[str]:
        found = [frame]
        while (link := self._links.get(found[-1])) and link.parent not in found:
            found.append(link.parent)
        return found

    def _links_up(self, frames: list[str]) -> list[_Link]:
        return [self._links[frame] for frame in frames]

    def _along(self, links: list[_Link], stamp: int) -> Pose | None:
        pose = Pose(np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0]))
        for link in links:
            outer = link.at(stamp, self._max_age)
            if outer is None:
                return None
            pose = compose(outer, pose)
        return pose

    def _message(self, stamp: int, pose: Pose) -> Any:
        sec, nanosec = divmod(stamp, 1_000_000_000)
        return SimpleNamespace(
            header=SimpleNamespace(stamp=SimpleNamespace(sec=sec, nanosec=nanosec), frame_id=self.parent),
            child_frame_id=self.child,
            transform=SimpleNamespace(
                translation=SimpleNamespace(**dict(zip("xyz", pose.place.tolist(), strict=True))),
                rotation=SimpleNamespace(**dict(zip("xyzw", pose.turn.tolist(), strict=True))),
            ),
        )


def _stamp(part: Any) -> int:
    return int(part.header.stamp.sec) * 1_000_000_000 + int(part.header.stamp.nanosec)
