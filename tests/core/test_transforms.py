"""Frames several transforms apart, against matrices."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dvf_ros.core.transforms import FrameTree

MS = 1_000_000


def motion(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    turn = rng.normal(size=4)
    return rng.normal(size=3), turn / np.linalg.norm(turn)


def transform(stamp: int, parent: str, child: str, place: np.ndarray, turn: np.ndarray) -> Any:
    sec, nanosec = divmod(stamp, 10**9)
    return SimpleNamespace(
        header=SimpleNamespace(stamp=SimpleNamespace(sec=sec, nanosec=nanosec), frame_id=parent),
        child_frame_id=child,
        transform=SimpleNamespace(
            translation=SimpleNamespace(x=place[0], y=place[1], z=place[2]),
            rotation=SimpleNamespace(x=turn[0], y=turn[1], z=turn[2], w=turn[3]),
        ),
    )


def matrix(place: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """(4, 4) homogeneous transform of a place and a quaternion x, y, z, w."""
    x, y, z, w = turn
    whole = np.eye(4)
    whole[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    whole[:3, 3] = place
    return whole


def found(message: Any) -> np.ndarray:
    place, turn = message.transform.translation, message.transform.rotation
    return matrix(np.array([place.x, place.y, place.z]), np.array([turn.x, turn.y, turn.z, turn.w]))


def stamp_of(message: Any) -> int:
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec


@pytest.mark.parametrize("seed", range(5))
def test_a_chain_up_and_down_with_static_links_is_the_product_of_its_matrices(seed: int) -> None:
    rng = np.random.default_rng(seed)
    names = [("map", "base"), ("base", "arm"), ("arm", "tool"), ("base", "mast"), ("mast", "camera")]
    poses = {child: motion(rng) for _, child in names}
    tree = FrameTree("camera", "/tool", 0.2)
    static = [transform(0, p, c, *poses[c]) for p, c in names if c in ("mast", "tool")]
    assert tree.add(static, static=True) is None and not tree.connects()
    moving = [transform(5 * MS, p, c, *poses[c]) for p, c in names if c not in ("mast", "tool")]
    message = tree.add(moving, static=False)
    up = matrix(*poses["mast"]) @ matrix(*poses["camera"])
    down = matrix(*poses["arm"]) @ matrix(*poses["tool"])
    np.testing.assert_allclose(found(message), np.linalg.inv(up) @ down, atol=1e-12)
    assert stamp_of(message) == 5 * MS and (message.header.frame_id, message.child_frame_id) == ("camera", "tool")


def test_links_of_different_times_meet_at_the_newest_that_all_have_reached() -> None:
    still = np.array([0.0, 0.0, 0.0, 1.0])
    tree = FrameTree("world", "tool", 0.2)
    given = []
    for k in range(20):
        given.append(tree.add([transform(10 * k * MS, "world", "base", np.array([k, 0, 0.0]), still)], False))
        if k % 3 == 2:  # the slower link, off the other's beat
            slow = transform((10 * k - 5) * MS, "base", "tool", np.array([0, k - 0.5, 0.0]), still)
            given.append(tree.add([slow], False))
    messages = [message for message in given if message is not None]
    assert [stamp_of(message) for message in messages] == [(10 * k - 5) * MS for k in range(2, 20, 3)]
    for message, k in zip(messages, range(2, 20, 3), strict=True):
        np.testing.assert_allclose(found(message)[:3, 3], [k - 0.5, k - 0.5, 0])


def test_nothing_is_invented_over_a_gap_and_a_clock_that_jumps_back_begins_anew() -> None:
    still = np.array([0.0, 0.0, 0.0, 1.0])

    def both(stamp: int) -> list[Any]:
        return [
            transform(stamp, "world", "base", np.zeros(3), still),
            transform(stamp, "base", "tool", np.zeros(3), still),
        ]

    tree = FrameTree("world", "tool", 0.2)
    assert tree.add(both(10**10), False) is not None
    assert tree.add(both(10**10)[:1], False) is None, "nothing new"
    ahead = transform(10**10 + 900 * MS, "world", "base", np.ones(3), still)
    behind = transform(10**10 + 400 * MS, "base", "tool", np.zeros(3), still)
    assert tree.add([ahead, behind], False) is None, "half a second without the base"
    assert tree.add(both(10**9), False) is not None, "a simulation was reset"


def test_frames_that_a_tracker_counts_up_are_forgotten_and_those_between_the_two_never_are() -> None:
    still = np.array([0.0, 0.0, 0.0, 1.0])
    tree = FrameTree("world", "tool", 0.2)
    tree.add([transform(0, "hall", "world", np.ones(3), still)], True)
    tree.add([transform(0, "world", "tool", np.ones(3), still)], False)
    for k in range(3000):  # 10 Hz, for five minutes
        tree.add([transform(100 * k * MS, "world", f"thing_{k}", np.ones(3), still)], False)
        if k == 2999:
            before = len(tree._links)
            tree.add([transform(0, "world", "wall", np.ones(3), still)], True)  # whose stamp says nothing
            assert len(tree._links) == before + 1
    assert 100 <= len(tree._links) <= 116, "those of the last 10 s, and of one more"
    assert {"world", "tool"} <= tree._links.keys() and tree.connects(), "silent, but asked for"
    assert tree.add([transform(300_000 * MS, "world", "tool", np.ones(3), still)], False) is not None


@pytest.mark.parametrize(("rate", "length"), [(100, 512), (2000, 2400)])
def test_transforms_of_a_second_and_the_age_are_kept_at_any_rate(rate: int, length: int) -> None:
    still = np.array([0.0, 0.0, 0.0, 1.0])
    tree = FrameTree("world", "tool", 0.2)
    tree.add([transform(0, "world", "base", np.zeros(3), still)], True)
    for begin in range(0, 3 * length, 128):
        stamps = [k * 1000 * MS // rate for k in range(begin, begin + 128)]
        tree.add([transform(stamp, "base", "tool", np.zeros(3), still) for stamp in stamps], False)
    assert length <= len(tree._links["tool"].stamps) <= length + 512


def test_frames_that_hang_in_a_ring_lead_nowhere() -> None:
    still = np.array([0.0, 0.0, 0.0, 1.0])
    tree = FrameTree("world", "tool", 0.2)
    ring = [transform(1, a, b, np.zeros(3), still) for a, b in (("tool", "arm"), ("arm", "tool"))]
    assert tree.add(ring, False) is None and not tree.connects()


@pytest.mark.parametrize("norm", [2.0, 0.0, np.nan])
def test_a_link_that_is_turned_by_no_rotation_is_told_and_left_out(norm: float) -> None:
    still = np.array([0.0, 0.0, 0.0, 1.0])
    tree = FrameTree("map", "camera", 0.2)
    mount = transform(0, "base", "camera", np.array([1.0, 0.0, 0.0]), still)
    bad = transform(5 * MS, "map", "base", np.zeros(3), norm * still)
    others = transform(5 * MS, "map", "somebody", np.zeros(3), norm * still)
    tree.add([mount], static=True)
    with pytest.raises(ValueError, match="frame 'base': expected a rotation, a quaternion of norm 1; found norm"):
        tree.add([bad], static=False)
    assert not tree.connects()
    good = transform(6 * MS, "map", "base", np.zeros(3), still)
    assert stamp_of(tree.add([others, good], static=False)) == 6 * MS, "nobody asks for the other"
