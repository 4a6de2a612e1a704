"""Targets, rates and stops against the measured state: closed-form truths and properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvf_ros.control.gate import STOP_REPEATS, Gate
from dvf_ros.control.safety import UnsafeAction, braking_step
from dvf_ros.control.safety_filter import FIRST_TARGETS, HELD_TARGETS, LEAD, SHORTEST, SafetyFilter
from dvf_ros.core.parsing import ConfigError
from dvf_ros.core.spec import RobotSpec

TEXT = """
robot: arm
task: test
rate: 10
state:
  - topic: joint_states
    type: sensor_msgs/msg/JointState
    fields:
      - {name: position, kind: joints, path: position, joints: [a, b], lower: [-1, -1], upper: [1, 1]}
action:
  - topic: target
    type: sensor_msgs/msg/JointState
    fields:
      - {name: target, kind: joints, path: position, joints: [a, b], follows: position, stop_mode: hold,
         lower: [-1, -1], upper: [1, 1], max_rate: [1, 1], max_acceleration: [2, 2]}
  - topic: speed
    type: std_msgs/msg/Float64MultiArray
    stamp: receive
    fields:
      - {name: speed, kind: array, path: data, size: 2, moves: position, stop_mode: decelerate,
         lower: [-2, -2], upper: [2, 2], max_rate: [3, 3]}
"""
SPEC = RobotSpec.parse(TEXT)
PERIOD = 1 / SPEC.rate
MEASURED = np.array([0.3, -0.2])
wanted = st.tuples(*[st.floats(-5, 5)] * 2)


def test_the_first_targets_after_a_start_and_after_a_stop_are_where_the_robot_is() -> None:
    safety, asked = SafetyFilter(SPEC), np.array([0.9, 0.9, 0.0, 0.0])
    for _ in range(FIRST_TARGETS):
        assert (safety.apply(asked, MEASURED).action[:2] == MEASURED).all()
    assert (safety.apply(asked, MEASURED).action[:2] > MEASURED).all()
    safety.unheard(np.array([False, False, True, True]))
    assert (safety.apply(asked, MEASURED).action[:2] > MEASURED).all(), "others were not listened to"
    safety.unheard(np.array([True, True, False, False]))
    assert (safety.apply(asked, MEASURED).action[:2] == MEASURED).all(), "nobody listened: it begins again"
    held = safety.stop()[:2]
    assert (held == safety.stop()[:2]).all(), "a stop holds the target"
    pushed = np.array([-0.5, 0.5])
    assert (safety.apply(asked, pushed).action[:2] == pushed).all()


def test_a_stop_after_a_command_that_was_not_sent_holds_the_one_before() -> None:
    safety, asked = SafetyFilter(SPEC), np.array([0.9, 0.9, 0.3, 0.3])
    for _ in range(FIRST_TARGETS + 2):
        sent = safety.apply(asked, MEASURED).action
    assert (safety.apply(asked, MEASURED).action[:2] > sent[:2]).all()
    safety.withdraw()
    stopped = safety.stop()
    assert (stopped[:2] == sent[:2]).all() and (stopped[2:] <= sent[2:]).all()


def test_a_stop_that_lasts_stops_holding_its_target_once_the_robot_stands() -> None:
    safety, asked = SafetyFilter(SPEC), np.array([0.9, 0.9, 0.7, 0.7])
    for _ in range(FIRST_TARGETS + 3):
        safety.apply(asked, MEASURED)
    said = [safety.stop() for _ in range(12)]
    moving = sum(bool(command[2]) for command in said)
    held = [bool(np.isfinite(command[:2]).all()) for command in said]
    assert moving and held == [True] * (moving + HELD_TARGETS) + [False] * (12 - moving - HELD_TARGETS)
    assert all(np.isfinite(command[2:]).all() for command in said), "what is no target is said as long as it stops"
    pushed = np.array([-0.5, 0.5])
    assert (safety.apply(asked, pushed).action[:2] == pushed).all()


def test_who_lost_track_of_the_robot_neither_holds_nor_goes_on_from_an_old_target() -> None:
    safety, asked = SafetyFilter(SPEC), np.array([0.9, 0.9, 0.0, 0.0])
    for _ in range(FIRST_TARGETS + 3):
        safety.apply(asked, MEASURED)
    safety.lose_track()
    safety.withdraw()
    assert np.isnan(safety.stop()[:2]).all()
    pushed = np.array([-0.5, 0.5])
    assert (safety.apply(asked, pushed).action[:2] == pushed).all()


@given(goals=st.lists(wanted, min_size=1, max_size=60), start=st.tuples(*[st.floats(-1, 1)] * 2))
def test_targets_keep_position_velocity_and_acceleration(goals: list[tuple[float, ...]], start: tuple) -> None:
    safety, state = SafetyFilter(SPEC), np.array(start)
    positions = [state.copy()]
    for goal in goals:
        sent = safety.apply(np.array([*goal, 0.0, 0.0]), state).action[:2]
        state = sent  # a robot that follows perfectly
        positions.append(sent)
    path = np.array(positions)
    velocity = np.diff(path, axis=0) / PERIOD
    acceleration = np.diff(velocity, axis=0, prepend=np.zeros((1, 2))) / PERIOD
    assert (np.abs(path) <= 1).all()
    assert (np.abs(velocity) <= 1 + 1e-9).all()
    assert (np.abs(acceleration) <= 2 + 1e-6).all()


@given(goals=st.lists(wanted, min_size=1, max_size=60), start=st.tuples(*[st.floats(-1, 1)] * 2))
def test_a_velocity_never_drives_the_joint_it_moves_out_of_its_limits(goals: list, start: tuple) -> None:
    safety, position, previous = SafetyFilter(SPEC), np.array(start), np.zeros(2)
    for goal in goals:
        speed = safety.apply(np.array([0.0, 0.0, *goal]), position).action[2:]
        assert (np.abs(speed - previous) <= 3 * PERIOD + 1e-6).all(), "and brakes for them within max_rate"
        position, previous = position + speed * PERIOD, speed
        assert (np.abs(position) <= 1 + 1e-6).all()


def test_a_target_does_not_run_away_from_a_blocked_robot() -> None:
    safety = SafetyFilter(SPEC)
    for _ in range(100):
        sent = safety.apply(np.array([1.0, 1.0, 0.0, 0.0]), np.array([0.0, 0.0])).action[:2]
    assert sent == pytest.approx(np.full(2, LEAD * 1.0))


def test_a_robot_beyond_its_limit_may_only_come_back() -> None:
    safety, outside = SafetyFilter(SPEC), np.array([1.5, 0.0])
    assert safety.apply(np.array([0, 0, 0.2, 0.0]), outside).action[2] == 0
    assert safety.apply(np.array([0, 0, -0.2, 0.0]), outside).action[2] == pytest.approx(-0.2)


@given(distance=st.floats(0, 100), deceleration=st.floats(1e-3, 10))
def test_braking_ends_at_the_end(distance: float, deceleration: float) -> None:
    left, step = np.array([distance]), np.array([np.inf])
    for _ in range(int(np.sqrt(2 * distance / deceleration)) + 3):
        following = braking_step(left, np.array([deceleration]))
        assert (following <= step + 1e-9 and step - following <= deceleration + 1e-6) or np.isinf(step)
        left, step = left - following, following
        assert left >= -1e-6
    assert left == pytest.approx(0, abs=1e-6 * max(1.0, distance))


def test_decelerate_slows_down_by_its_rate_in_filter_and_gate_and_ends_at_rest() -> None:
    safety, gate = SafetyFilter(SPEC), Gate(SPEC, deadline=0.15)
    for _ in range(3):
        sent = safety.apply(np.array([0, 0, 0.7, -0.7]), np.zeros(2)).action
    assert sent[2:] == pytest.approx([0.7, -0.7])
    speeds = [safety.stop()[2] for _ in range(4)]
    assert speeds == pytest.approx([0.4, 0.1, 0.0, 0.0]) and safety.at_rest
    for step in range(3):
        gate.offer("speed", None, np.array([0.7, -0.7]), step * 10**8)
    said = [gate.check("speed", 4 * 10**8)[0].values[0]]
    while gate.guarded("speed"):
        assert gate.slowing("speed") == (said[-1] != 0)
        said += [item.values[0] for item in gate.check("speed", 5 * 10**8)]
    assert said == pytest.approx([0.4, 0.1] + [0.0] * (1 + STOP_REPEATS))


def test_a_gate_that_opens_again_takes_the_first_target_as_where_the_robot_is() -> None:
    gate = Gate(SPEC, deadline=0.15)
    gate.offer("target", 1, np.array([0.1, 0.1]), 0)
    gate.refuse("test")
    said = [item.values for now in range(1, 9) for item in gate.check("target", now * 10**8)]
    assert len(said) == STOP_REPEATS and not gate.guarded("target")
    (item,) = gate.offer("target", 2, np.array([0.9, -0.9]), 10**9)
    assert (item.values == [0.9, -0.9]).all(), "it was moved by hand"
    (item,) = gate.offer("target", 3, np.array([-0.9, 0.9]), 10**9 + 10**8)
    assert np.abs(item.values - [0.9, -0.9]).max() < 0.4, "from there on it keeps its rate"


@pytest.mark.parametrize("stopped", [False, True])
def test_a_gate_that_stood_still_says_no_target_of_before_and_goes_on_from_none(stopped: bool) -> None:
    gate = Gate(SPEC, deadline=0.15)
    gate.offer("target", 1, np.array([0.1, 0.1]), 0)
    if stopped:
        gate.refuse("test")
    woken = 2 * 10**9
    said = [item.values for step in range(6) for item in gate.check("target", woken + step * 10**8)]
    assert said and np.isnan(said).all(), "it was moved meanwhile"
    (item,) = gate.offer("target", 2, np.array([0.9, -0.9]), woken + 6 * 10**8)
    assert (item.values == [0.9, -0.9]).all()


def test_a_gate_that_opens_again_without_a_silence_goes_on_from_the_last_target() -> None:
    gate = Gate(SPEC, deadline=0.15)
    gate.offer("target", 1, np.array([0.1, 0.1]), 0)
    gate.refuse("test")
    (item,) = gate.offer("target", 2, np.array([0.9, -0.9]), 10**8)
    assert np.abs(item.values - 0.1).max() < 0.4, "who sent it was not silent, and may not know of the stop"


def test_an_estop_is_not_released_under_targets_that_know_nothing_of_it() -> None:
    gate = Gate(SPEC, deadline=0.15)
    for step in range(3):
        gate.offer("target", step, np.array([0.1, 0.1]), step * 10**8)
        gate.offer("speed", None, np.zeros(2), step * 10**8)
        gate.press("test")
    assert "targets still come on 'target'" in gate.release(3 * 10**8) and gate.estopped
    gate.offer("speed", None, np.zeros(2), 4 * 10**8)
    assert gate.release(4 * 10**8) == "" and not gate.estopped, "speeds start from rest anyway"
    (item,) = gate.offer("target", 9, np.array([0.9, 0.9]), 4 * 10**8)
    assert (item.values == 0.9).all()


def test_a_stop_of_the_controllers_own_passes_the_gate_at_once() -> None:
    gate = Gate(RobotSpec.load("config/base_goto.yaml"), deadline=0.15)
    for step in range(20):
        (item,) = gate.offer("cmd_vel", None, np.array([0.6, 1.0]), step * 10**8)
    assert item.values == pytest.approx([0.6, 1.0])
    (item,) = gate.offer("cmd_vel", None, np.zeros(2), 20 * 10**8)
    assert (item.values == 0).all() and gate.counters.clamped < 20


def test_a_last_word_does_not_slow_down_gently() -> None:
    safety = SafetyFilter(SPEC)
    safety.apply(np.array([0, 0, 0.3, 0.3]), np.zeros(2))
    assert (safety.stop(at_once=True)[2:] == 0).all()


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("follows: position", "follows: positon", "did you mean 'position'"),
        ("stop_mode: hold", "stop_mode: zero", "write stop_mode: hold"),
        ("size: 2, moves", "size: 3, moves", "expected 3 numbers in 'lower'"),
        ("max_rate: [3, 3]", "max_rate: [3, 0]", "expected numbers > 0 in 'max_rate'"),
        ("max_rate: [3, 3]", "max_rate: []", "decelerate needs a max_rate"),
        ("max_acceleration: [2, 2]", "max_acceleration: [.nan, 2]", "expected numbers > 0 in 'max_acceleration'"),
        ("topic: speed", "topic: a b", "joined by '/'"),
    ],
)
def test_a_spec_that_cannot_be_meant_is_refused(old: str, new: str, reason: str) -> None:
    assert old in TEXT
    with pytest.raises(ConfigError, match=reason):
        RobotSpec.parse(TEXT.replace(old, new))


def test_what_bounds_commands_is_not_what_data_means() -> None:
    without = TEXT.replace(", max_acceleration: [2, 2]", "").replace("follows: position, ", "")
    assert RobotSpec.parse(without).digest == SPEC.digest


TURNING = RobotSpec.parse(
    """
robot: arm
task: test
rate: 10
state:
  - topic: pose
    type: geometry_msgs/msg/PoseStamped
    fields: [{name: turn, kind: quaternion, path: pose.orientation}]
action:
  - topic: target
    type: geometry_msgs/msg/PoseStamped
    fields: [{name: wanted, kind: quaternion, path: pose.orientation, stop_mode: hold}]
"""
)


@given(st.lists(st.floats(-2, 2), min_size=4, max_size=4))
def test_a_quaternion_beside_the_rotations_is_sent_as_the_one_it_means(numbers: list[float]) -> None:
    asked = np.array(numbers)
    if np.linalg.norm(asked) < SHORTEST:
        with pytest.raises(UnsafeAction, match=r"expected a rotation in wanted.x, .* found a quaternion of norm"):
            SafetyFilter(TURNING).apply(asked, np.array([0, 0, 0, 1.0]))
        return
    sent = SafetyFilter(TURNING).apply(asked, np.array([0, 0, 0, 1.0]))
    np.testing.assert_allclose(sent.action, asked / np.linalg.norm(asked), atol=1e-12)
    assert sent.clamped == ()


FOLLOWING = RobotSpec.parse(
    TURNING.text.replace("stop_mode: hold", "follows: turn, stop_mode: hold, max_rate: [1, 1, 1, 1]")
)


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("degrees", [20, 90, 175])
def test_a_turn_at_limited_rates_is_one_of_rotations_that_gets_there_the_shorter_way(
    degrees: float, sign: float
) -> None:
    half = np.deg2rad(degrees) / 2
    goal = np.array([0.0, 0.0, np.sin(half), np.cos(half)])
    safety, at = SafetyFilter(FOLLOWING), np.array([0.0, 0.0, 0.0, 1.0])
    way = []
    for _ in range(40):
        at = safety.apply(sign * goal, sign * at).action * sign
        assert np.linalg.norm(at) == pytest.approx(1.0, abs=1e-9)
        way.append(float(at @ goal))
    assert abs(way[-1]) == pytest.approx(1.0, abs=1e-6)
    assert (np.diff(np.abs(way)) > -1e-9).all(), "never away from the goal"


def test_a_measured_rotation_is_the_first_target_and_no_motion() -> None:
    safety = SafetyFilter(FOLLOWING)
    measured = np.float32([0.1, 0.2, 0.3, 0.9273618])
    found = safety.apply(np.array([0.0, 0.0, 0.0, 1.0]), measured)
    np.testing.assert_allclose(found.action, measured, atol=1e-6)
    assert not found.moves
