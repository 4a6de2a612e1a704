"""What lies between two values of a source: a line, the shorter arc, or nothing that may be invented."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvf_ros.core.alignment import Aligner
from dvf_ros.core.interpolation import interpolate, slerp
from dvf_ros.core.parsing import ConfigError
from dvf_ros.core.spec import RobotSpec

TEXT = """
robot: arm
task: wave
rate: 10.0
state:
  - topic: pose
    type: geometry_msgs/msg/PoseStamped
    max_age: 0.1
    resample: linear
    fields:
      - {name: place, kind: vector, path: pose.position}
      - {name: turn, kind: quaternion, path: pose.orientation}
action: []
"""
MS = 1_000_000


def turn(angle: float) -> np.ndarray:
    return np.array([0, 0, np.sin(angle / 2), np.cos(angle / 2)])


@given(st.floats(-3, 3), st.floats(-3, 3), st.floats(0, 1), st.booleans())
def test_a_rotation_goes_the_shorter_way_at_constant_speed(start: float, way: float, share: float, flip: bool) -> None:
    # q and -q are one rotation: what is found must not depend on which of them the message held.
    found = slerp(turn(start), turn(start + way) * (-1 if flip else 1), share)
    assert abs(found @ turn(start + share * way)) == pytest.approx(1, abs=1e-12)


def test_an_angle_that_wrapped_holds_and_the_rest_is_a_line() -> None:
    text = TEXT.replace("kind: vector, path: pose.position", "kind: vector, path: pose.position, unit: rad")
    source = RobotSpec.parse(text).state[0]
    before, after = np.array([1, 3.1, 0, *turn(0)]), np.array([2, -3.1, 1, *turn(0)])
    np.testing.assert_allclose(interpolate(source, before, after, 0.25), [1.25, 3.1, 0.25, *turn(0)])


def test_values_are_joined_only_across_less_than_their_age() -> None:
    source = RobotSpec.parse(TEXT).state[0]
    aligner = Aligner((source,))
    for at, x in ((0, 0.0), (100, 1.0), (201, 2.0)):
        aligner.push("pose", at * MS, np.array([x, 0, 0, *turn(0)]))
    for tick, x, joined in ((50, 0.5, True), (100, 1.0, False), (150, 1.0, False), (201, 2.0, False)):
        sample = aligner.sample(tick * MS)
        assert (sample.values[0], bool(sample.interpolated)) == (np.float32(x), joined)


def test_what_changes_how_data_is_read_changes_the_digest_and_nothing_else_does() -> None:
    held = TEXT.replace("resample: linear", "resample: hold")
    plain = TEXT.replace("    resample: linear\n", "")
    assert RobotSpec.parse(held).digest == RobotSpec.parse(plain).digest != RobotSpec.parse(TEXT).digest


def test_frames_belong_to_tf_and_an_action_is_never_joined() -> None:
    with pytest.raises(ConfigError, match="parent and child belong to a tf2_msgs/msg/TFMessage"):
        RobotSpec.parse(TEXT.replace("resample: linear", "child: hand"))
    action = TEXT.partition("state:\n")[2].partition("action:")[0]
    with pytest.raises(ConfigError, match="resample: linear are for the state only"):
        RobotSpec.parse(TEXT.replace("action: []", "action:\n" + action))
