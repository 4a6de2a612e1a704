"""Pictures of a decision: where the candidates lead, and the futures of the chosen one, for RViz and Foxglove."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from geometry_msgs.msg import Point
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from dvf_ros.core.decision import Decision
from dvf_ros.core.goal import positions, source_of
from dvf_ros.core.spec import RobotSpec

LIFETIME = 0.5
"""s that a picture stays if no new one comes."""

FUTURE_SIZE, CANDIDATE_WIDTH, CHOSEN_WIDTH, BONE_WIDTH, JOINT_SIZE = 0.012, 0.002, 0.008, 0.04, 0.08
"""m."""

WORST, BEST = np.array([0.27, 0.0, 0.33]), np.array([0.99, 0.91, 0.14])
"""RGB; the ends of viridis, which keeps its order for the colour-blind and in print."""


class DecisionMarkers:
    """Draws a decision for every position field of the state, in the frame in which that field is reported.

    Futures are points, opaque if near in time and fainter the later; candidates are lines from the present place to
    the predicted one at the chunk's end. Colours run from the worst (dark) to the best (yellow).
    """

    def __init__(self, spec: RobotSpec, frames: Mapping[str, str]) -> None:
        self._frames = frames
        self._fallback = spec.frame
        slices = {piece.name: slice(piece.start, piece.stop) for piece in spec.state_layout}
        self._fields = [(name, source_of(spec, name), slices[name]) for name in positions(spec)]

    def draw(self, header: Header, state: np.ndarray, decision: Decision) -> MarkerArray:
        """The markers of a decision made in `state` (D,) under the stamp of `header`."""
        markers = []
        for name, topic, place in self._fields:
            at = Header(stamp=header.stamp, frame_id=self._frames.get(topic) or self._fallback)
            futures = _marker(at, f"{name}/futures", Marker.SPHERE_LIST, FUTURE_SIZE)
            futures.points = _points(decision.futures[:, place])
            futures.colors = _colors(decision.rewards, 1 - 0.8 * decision.offsets / decision.offsets.max())
            markers.append(futures)
            if len(decision.ends):
                lines = np.stack(
                    [np.broadcast_to(state[place], (len(decision.ends), 3)), decision.ends[:, place]], axis=1
                )
                candidates = _marker(at, f"{name}/candidates", Marker.LINE_LIST, CANDIDATE_WIDTH)
                candidates.points = _points(lines.reshape(-1, 3))
                candidates.colors = _colors(np.repeat(decision.scores, 2), np.full(2 * len(lines), 0.6))
                chosen = _marker(at, f"{name}/chosen", Marker.LINE_LIST, CHOSEN_WIDTH)
                chosen.points = _points(lines[decision.chosen])
                chosen.colors = [ColorRGBA(r=1.0, g=0.3, b=0.1, a=1.0)] * 2
                markers += [candidates, chosen]
        return MarkerArray(markers=markers)


def arm_markers(header: Header, links: np.ndarray) -> MarkerArray:
    """An arm as bones between its joints, from the places (L, 3) of its links."""
    bones = _marker(header, "arm/bones", Marker.LINE_STRIP, BONE_WIDTH)
    joints = _marker(header, "arm/joints", Marker.SPHERE_LIST, JOINT_SIZE)
    for marker in (bones, joints):
        marker.points = _points(links)
        marker.color = ColorRGBA(r=0.8, g=0.8, b=0.85, a=1.0)
    return MarkerArray(markers=[bones, joints])


def _marker(header: Header, name: str, kind: int, size: float) -> Marker:
    marker = Marker(header=header, ns=name, id=0, type=kind, action=Marker.ADD)
    marker.pose.orientation.w = 1.0
    marker.scale.x = size
    if kind == Marker.SPHERE_LIST:
        marker.scale.y = marker.scale.z = size
    marker.lifetime.sec, marker.lifetime.nanosec = divmod(round(LIFETIME * 1e9), 1_000_000_000)
    return marker


def _points(places: np.ndarray) -> list[Point]:
    return [Point(x=float(x), y=float(y), z=float(z)) for x, y, z in places]


def _colors(values: np.ndarray, opacity: Sequence[float] | np.ndarray) -> list[ColorRGBA]:
    low, high = float(values.min()), float(values.max())
    share = (values - low) / (high - low) if high > low else np.ones(len(values))
    rgb = WORST + share[:, None] * (BEST - WORST)
    return [
        ColorRGBA(r=float(r), g=float(g), b=float(b), a=float(a)) for (r, g, b), a in zip(rgb, opacity, strict=True)
    ]
