"""The safety filter bounds every action, whatever the agent says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dvf_ros.control.safety import CommandLimits, UnsafeAction
from dvf_ros.control.safety_filter import SafetyFilter
from dvf_ros.core.spec import RobotSpec

SPEC = RobotSpec.load("config/panda_lift.yaml")
BASE = RobotSpec.load("config/base_goto.yaml")
POSITION = slice(16, 19)  # eef_position: after 7 + 7 joint numbers and 2 fingers

finite = st.floats(-1e6, 1e6)


def state_at(*position: float) -> np.ndarray:
    state = SPEC.neutral_state
    state[POSITION] = position
    return state


def test_the_layout_is_what_these_tests_think() -> None:
    piece = next(piece for piece in SPEC.state_layout if piece.name == "eef_position")
    assert (piece.start, piece.stop) == (POSITION.start, POSITION.stop)


@given(action=arrays(float, 5, elements=finite), position=arrays(float, 3, elements=st.floats(-3, 3)))
def test_no_limit_is_ever_exceeded(action: np.ndarray, position: np.ndarray) -> None:
    filtered = SafetyFilter(SPEC).apply(action, state_at(*position))
    assert (filtered.action >= SPEC.action_lower).all() and (filtered.action <= SPEC.action_upper).all()
    assert SPEC.workspace is not None
    after = state_at(*position)[POSITION] + filtered.action[:3] / SPEC.rate
    inside_before = (position >= SPEC.workspace.lower) & (position <= SPEC.workspace.upper)
    inside_after = (after >= np.array(SPEC.workspace.lower) - 1e-5) & (after <= np.array(SPEC.workspace.upper) + 1e-5)
    assert (inside_after | ~inside_before).all()


def test_an_action_within_all_limits_is_untouched() -> None:
    action = np.array([0.1, -0.2, 0.05, 1.0, 0.04])
    filtered = SafetyFilter(SPEC).apply(action, state_at(0, 0, 1))
    assert (filtered.action == action).all() and filtered.clamped == ()


def test_what_was_clamped_is_named() -> None:
    filtered = SafetyFilter(SPEC).apply(np.array([9.0, 0, 0, 0, 0]), state_at(0, 0, 1))
    assert filtered.clamped == ("linear_velocity.x",)


def test_outside_the_workspace_only_the_way_back_is_open() -> None:
    safety = SafetyFilter(SPEC)
    outside = state_at(0.5, 0, 1)
    assert safety.apply(np.array([0.1, 0, 0, 0, 0]), outside).action[0] == 0
    assert safety.apply(np.array([-0.1, 0, 0, 0, 0]), outside).action[0] == pytest.approx(-0.1)


@given(actions=st.lists(arrays(float, 2, elements=finite), min_size=1, max_size=20))
def test_a_command_changes_no_faster_than_its_rate_and_starts_from_rest(actions: list[np.ndarray]) -> None:
    safety, previous = SafetyFilter(BASE), np.zeros(2)
    for action in actions:
        filtered = safety.apply(action, BASE.neutral_state)
        assert (np.abs(filtered.action - previous) <= CommandLimits(BASE.action).max_rate / BASE.rate + 1e-9).all()
        previous = filtered.action


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused_by_name(bad: float) -> None:
    with pytest.raises(UnsafeAction, match="yaw_rate"):
        SafetyFilter(SPEC).apply(np.array([0, 0, 0, bad, 0]), state_at(0, 0, 1))


def test_a_stop_is_still_and_keeps_the_grip() -> None:
    safety = SafetyFilter(SPEC)
    first = safety.stop()
    assert (first[:4] == 0).all() and np.isnan(first[4]), "nothing is known to hold yet"
    safety.apply(np.array([0.3, 0.1, 0.2, 1, 0.02]), state_at(0, 0, 1))
    assert (safety.stop() == [0, 0, 0, 0, 0.02]).all()
