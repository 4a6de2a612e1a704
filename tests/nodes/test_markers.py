"""Pictures of a decision: points and lines where the numbers say, coloured by worth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from std_msgs.msg import Header
from visualization_msgs.msg import Marker, MarkerArray

from dvf_ros.control.brain import Request
from dvf_ros.core.decision import Decision
from dvf_ros.core.spec import RobotSpec
from dvf_ros.nodes.controller_report import ControllerReport
from dvf_ros.nodes.markers import BEST, WORST, DecisionMarkers, arm_markers
from tests.nodes.harness import ros_domain, wait_for

SPEC = RobotSpec.load("config/panda_lift.yaml")
HEADER = Header(stamp=Time(sec=7), frame_id="world")


def decision(candidates: int = 3, futures: int = 4) -> Decision:
    rng = np.random.default_rng(0)
    numbers = np.arange(candidates, dtype=float)
    return Decision(
        chunk=np.zeros((2, 5)),
        chosen=2,
        candidates=np.zeros((candidates, 2, 5)),
        scores=numbers,
        values=numbers,
        disagreement=numbers,
        standard_error=numbers,
        futures=rng.normal(size=(futures, 30)),
        offsets=np.arange(1, futures + 1),
        rewards=np.linspace(0, 1, futures),
        value=0.0,
        value_error=0.0,
        discount=0.97,
        supported=np.ones(candidates, bool),
        ends=rng.normal(size=(candidates, 30)),
    )


def xyz(points: list) -> np.ndarray:
    return np.array([(point.x, point.y, point.z) for point in points])


def rgb(colors: list) -> np.ndarray:
    return np.array([(color.r, color.g, color.b) for color in colors])


def test_every_position_gets_its_futures_and_candidates() -> None:
    made, state = decision(), np.arange(30.0)
    drawn = DecisionMarkers(SPEC, {"objects/cube/pose": "table"}).draw(HEADER, state, made)
    markers = {marker.ns: marker for marker in drawn.markers}
    assert set(markers) == {
        f"{name}/{what}" for name in ("eef_position", "cube_position") for what in ("futures", "candidates", "chosen")
    }
    assert len({(marker.ns, marker.id) for marker in drawn.markers}) == len(drawn.markers)
    for name, start, frame in (("eef_position", 16, "world"), ("cube_position", 23, "table")):
        place = slice(start, start + 3)
        futures, candidates, chosen = (markers[f"{name}/{what}"] for what in ("futures", "candidates", "chosen"))
        assert {item.header.frame_id for item in (futures, candidates, chosen)} == {frame}
        assert futures.type == Marker.SPHERE_LIST and futures.header.stamp.sec == 7
        np.testing.assert_allclose(xyz(futures.points), made.futures[:, place])
        assert candidates.type == Marker.LINE_LIST
        np.testing.assert_allclose(xyz(candidates.points)[1::2], made.ends[:, place])
        np.testing.assert_allclose(xyz(candidates.points)[0::2], np.tile(state[place], (3, 1)))
        np.testing.assert_allclose(xyz(chosen.points), [state[place], made.ends[2, place]])
        np.testing.assert_allclose(rgb(futures.colors)[[0, -1]], [WORST, BEST], atol=1e-6)
        np.testing.assert_allclose(rgb(candidates.colors)[[0, 1, 4, 5]], [WORST, WORST, BEST, BEST], atol=1e-6)
        opacity = [color.a for color in futures.colors]
        assert opacity == sorted(opacity, reverse=True) and opacity[-1] > 0


def test_equal_scores_and_a_decision_without_predicted_ends_are_drawn_too() -> None:
    made = decision()
    flat = Decision(**(vars(made) | {"scores": np.ones(3), "rewards": np.zeros(4), "ends": np.zeros((0, 0))}))
    drawn = DecisionMarkers(SPEC, {}).draw(HEADER, np.zeros(30), flat)
    assert {marker.ns for marker in drawn.markers} == {"eef_position/futures", "cube_position/futures"}
    assert all(np.isfinite(rgb(marker.colors)).all() for marker in drawn.markers)


def test_an_arm_is_drawn_through_its_links() -> None:
    links = np.arange(9.0).reshape(3, 3)
    for marker in arm_markers(HEADER, links).markers:
        np.testing.assert_array_equal(xyz(marker.points), links)


@pytest.mark.ros
def test_nothing_is_drawn_or_published_while_nobody_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    draw = DecisionMarkers.draw
    monkeypatch.setattr(DecisionMarkers, "draw", lambda *words: drawn.append(words) or draw(*words))
    with ros_domain(tmp_path) as (_, observer):
        report = ControllerReport(observer.node, SPEC, "", "learned", {})
        request = Request(7, np.zeros(30))
        report.publish_decision(request, decision())
        assert not drawn
        pictures = observer.collect(MarkerArray, "observer/markers")

        def looked_at() -> bool:
            report.publish_decision(request, decision())
            return bool(pictures)

        wait_for(looked_at, "a picture")
        assert drawn and len(pictures[0].markers) == 6
