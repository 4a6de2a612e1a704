"""The gate: nothing passes that should not, whatever comes, and whatever stops coming stops the robot."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvf_ros.control.gate import STOP_REPEATS, Gate, Outgoing, input_topic, restart_warning
from dvf_ros.control.safety import CommandLimits
from dvf_ros.core.spec import RobotSpec
from tests.control.test_safety_filter import FOLLOWING

ARM = RobotSpec.load("config/panda_lift.yaml")
BASE = RobotSpec.load("config/base_goto.yaml")
DEADLINE = 0.17
MS = 1_000_000
TWIST, GRIPPER = (source.topic for source in ARM.action)
SIZES = {source.topic: source.size for source in ARM.action}
LIMITS = {
    TWIST: (ARM.action_lower[:4], ARM.action_upper[:4]),
    GRIPPER: (ARM.action_lower[4:], ARM.action_upper[4:]),
}
MOVING = np.array([0.1, -0.2, 0.05, 1.0])


@dataclass(frozen=True)
class Event:
    """Something that happens to a gate, `wait` ms after what happened before."""

    what: str
    topic: str
    values: tuple[float, ...]
    step: int
    wait: int


EVENTS = st.lists(
    st.builds(
        Event,
        what=st.sampled_from(["offer"] * 6 + ["check", "press", "release", "button", "let go", "refuse"]),
        topic=st.sampled_from([TWIST, GRIPPER]),
        values=st.tuples(*[st.floats(allow_nan=True, allow_infinity=True)] * 4) | st.tuples(*[st.floats(-1, 1)] * 4),
        step=st.sampled_from([50, 50, 50, 0, -50, -5000, 5000]),
        wait=st.integers(0, 300),
    ),
    max_size=60,
)


def happen(gate: Gate, event: Event, stamp: int, now: int) -> list[Outgoing]:
    match event.what:
        case "offer":
            return gate.offer(event.topic, stamp, np.array(event.values[: SIZES[event.topic]]), now)
        case "check":
            return gate.check(event.topic, now)
        case "press":
            return gate.press("test")
        case "button" | "let go":
            return gate.button(event.what == "button")
        case "refuse":
            return gate.refuse("test")
    gate.release(now)
    return []


@given(events=EVENTS)
def test_whatever_comes_only_safe_numbers_leave(events: list[Event]) -> None:
    gate, now, stamp, fresh = Gate(ARM, DEADLINE), 0, 0, set()
    newest: dict[str, int] = {}
    for event in events:
        now, stamp = now + event.wait * MS, stamp + event.step * MS
        latched = gate.estopped
        for item in happen(gate, event, stamp, now):
            lower, upper = LIMITS[item.topic]
            assert np.isfinite(item.values).all()
            assert (item.values >= lower).all() and (item.values <= upper).all()
            if item.stop:
                assert item.topic in fresh, "nothing is sent before the first fresh command"
                assert item.topic == GRIPPER or (item.values == 0).all()
            else:
                assert event.what == "offer" and item.topic == event.topic
                assert not latched, "an e-stop holds until it is released"
                assert item.topic not in newest or stamp > newest[item.topic]
                fresh.add(item.topic)
        if event.what == "offer":
            newest[event.topic] = stamp
        if latched and event.what != "release":
            assert gate.estopped


speeds = st.sampled_from([0.0]) | st.floats(-1.5, 1.5)


@given(wanted=st.lists(st.tuples(speeds, speeds, st.integers(0, 169)), min_size=2, max_size=40))
def test_however_many_commands_come_nothing_changes_faster_than_its_rate(
    wanted: list[tuple[float, float, int]],
) -> None:
    gate, now = Gate(BASE, DEADLINE), 0
    sent: tuple[list[tuple[int, float]], ...] = ([(0, 0.0)], [(0, 0.0)])  # of each number, since it last was at rest
    for *speed, wait in wanted:
        now += wait * MS
        (item,) = gate.offer("cmd_vel", None, np.array(speed), now)
        for number, history in enumerate(sent):
            if speed[number] == 0:
                assert item.values[number] == 0, "what stops by zero may stop at once"
                history.clear()
            for before, value in history:
                most = CommandLimits(BASE.action).max_rate[number] * ((now - before) * 1e-9 + 2 / BASE.rate)
                assert abs(item.values[number] - value) <= most + 1e-9
            history.append((now, item.values[number]))


def test_commands_of_a_controller_that_keeps_the_rate_pass_to_the_bit_however_unevenly() -> None:
    gate, step = Gate(BASE, DEADLINE), CommandLimits(BASE.action).max_rate / BASE.rate
    for number, arrival in enumerate((0, 170, 200, 370, 400, 500)):  # ms; sent every 100 ms, up to 70 ms late
        wanted = step * (number % 2)
        (item,) = gate.offer("cmd_vel", None, wanted, arrival * MS)
        assert (item.values == wanted).all()
    assert gate.counters.clamped == 0


def opened(now: int = 0) -> Gate:
    gate = Gate(ARM, DEADLINE)
    gate.offer(TWIST, 1, MOVING, now)
    gate.offer(GRIPPER, 1, np.array([0.03]), now)
    return gate


def test_a_gate_that_heard_nothing_sends_nothing() -> None:
    gate = Gate(ARM, DEADLINE)
    assert gate.check(TWIST, 10**12) == [] and gate.stop("end") == [] and gate.press("test") == []
    assert "no command yet on 'cmd_twist'" in Gate(ARM, DEADLINE).reason


def test_over_limit_is_clamped_and_counted() -> None:
    gate = Gate(ARM, DEADLINE)
    (item,) = gate.offer(TWIST, 1, np.array([9.0, 0, 0, -7.0]), 0)
    assert (item.values == [0.5, 0, 0, -2.0]).all() and gate.counters.clamped == 1


def test_silence_stops_the_topic_repeats_it_and_ends() -> None:
    gate = opened()
    gate.offer(GRIPPER, 2, np.array([0.03]), 160 * MS)
    assert gate.check(TWIST, 169 * MS) == []
    (stop,) = gate.check(TWIST, 170 * MS)
    assert stop.stop and (stop.values == 0).all() and "no fresh command on 'cmd_twist'" in gate.reason
    assert gate.check(GRIPPER, 170 * MS) == [], "each topic has its own deadline"
    for _ in range(STOP_REPEATS):
        assert gate.guarded(TWIST) and len(gate.check(TWIST, 200 * MS)) == 1
    (held,) = gate.check(GRIPPER, 330 * MS)
    assert held.stop and held.values == [0.03], "the spec says that a stop keeps the grip"
    assert not gate.guarded(TWIST) and gate.check(TWIST, 999 * MS) == []


@pytest.mark.parametrize("stamp", [1, 0])
def test_a_repeated_or_older_stamp_does_not_pass_nor_keep_the_gate_open(stamp: int) -> None:
    gate = opened()
    assert gate.offer(TWIST, stamp, MOVING, 100 * MS) == []
    assert len(gate.check(TWIST, 170 * MS)) == 1 and gate.counters.stale == 1


def test_after_time_jumped_back_everything_stops_and_newer_stamps_pass_again() -> None:
    gate = opened()
    start = 10**12
    gate.offer(TWIST, start, MOVING, 0)
    assert {item.topic for item in gate.offer(TWIST, 5, MOVING, 0) if item.stop} == {TWIST, GRIPPER}
    assert gate.offer(TWIST, 5, MOVING, 0) == []
    assert not gate.offer(TWIST, 6, MOVING, 0)[0].stop


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_one_number_that_is_not_finite_stops_all_topics(bad: float) -> None:
    gate = opened()
    outgoing = gate.offer(TWIST, 2, np.array([0, 0, bad, 0]), MS)
    assert {item.topic for item in outgoing if item.stop} == {TWIST, GRIPPER}
    assert "linear_velocity.z" in gate.last_refusal
    assert gate.offer(TWIST, 3, np.full(4, bad), MS) == [], "one stop is enough, however often it comes"


def test_the_estop_stops_holds_and_needs_release_and_a_fresh_command() -> None:
    gate = opened()
    assert all(item.stop for item in gate.press("test")) and gate.estopped
    assert gate.offer(TWIST, 2, MOVING, MS) == [] and gate.counters.blocked_by_estop == 1
    assert gate.release(MS) == ""
    assert gate.check(TWIST, MS)[0].stop, "released, and still stopped"
    assert gate.offer(TWIST, 2, MOVING, 2 * MS) == [], "what was blocked is not fresh any more"
    assert not gate.offer(TWIST, 3, MOVING, 2 * MS)[0].stop


def test_a_button_that_is_held_cannot_be_released() -> None:
    gate = opened()
    assert gate.button(True) and "publish false" in gate.release(0) and gate.estopped
    assert gate.button(False) == [] and gate.estopped, "letting go does not resume"
    assert gate.release(0) == "" and not gate.estopped


def test_a_gate_that_stood_still_stops_and_hears_nothing_that_waited_for_it() -> None:
    gate = opened()
    woken = 2_000 * MS
    outgoing = gate.offer(TWIST, 2, MOVING, woken)
    assert {item.topic for item in outgoing} == {TWIST, GRIPPER} and all(item.stop for item in outgoing)
    assert gate.last_stop == "the gate stood still" and gate.counters.halts == 1
    assert gate.offer(TWIST, 3, MOVING, woken + 169 * MS) == [] and gate.counters.stale == 2
    assert gate.bars(woken + 169 * MS) and not gate.bars(woken + 170 * MS) and not gate.estopped
    assert gate.offer(TWIST, 3, MOVING, woken + 170 * MS) == [], "nor is it fresh when it comes again"
    (item,) = gate.offer(TWIST, 4, MOVING, woken + 170 * MS)
    assert not item.stop and gate.counters.halts == 1


@pytest.mark.parametrize("first", ["wake", "check"])
def test_whatever_happens_first_notices_a_halt(first: str) -> None:
    gate = opened()
    outgoing = gate.wake(341 * MS) if first == "wake" else gate.check(TWIST, 341 * MS)
    assert len(outgoing) == 2 and gate.counters.halts == 1
    assert gate.wake(342 * MS) == [], "once"


def test_a_gate_that_guards_nothing_may_stand_still() -> None:
    gate = Gate(ARM, DEADLINE)
    assert gate.wake(0) == [] and gate.wake(10**12) == [] and gate.counters.halts == 0
    assert len(gate.offer(TWIST, 1, MOVING, 2 * 10**12)) == 1


@pytest.mark.parametrize(("rate", "tight"), [(20.0, False), (10.0, True)])
def test_a_deadline_that_a_restart_may_miss_is_warned_of(rate: float, tight: bool) -> None:
    warning = restart_warning(replace(BASE, rate=rate), 0.15)
    assert bool(warning) == tight
    if tight:
        assert "0.17 s after the first" in warning and "set 'deadline' to 0.17" in warning


def test_a_deadline_within_the_period_is_refused() -> None:
    with pytest.raises(ValueError, match=r"longer than the 0\.1 s .* found 0\.05 s"):
        Gate(BASE, 0.05)


@pytest.mark.parametrize(
    ("topic", "expected"), [("cmd_vel", "unsafe/cmd_vel"), ("/arm/cmd_twist", "/unsafe/arm/cmd_twist")]
)
def test_inputs_lie_beside_the_outputs(topic: str, expected: str) -> None:
    assert input_topic(topic) == expected


def test_a_rotation_whose_change_is_clamped_is_still_a_rotation() -> None:
    gate = Gate(FOLLOWING, DEADLINE)
    half = np.deg2rad(90) / 2
    goal = -np.array([np.sin(half), 0.0, 0.0, np.cos(half)])
    sent = [gate.offer("target", 0, np.array([0.0, 0.0, 0.0, 1.0]), 0)[0].values]
    for tick in range(1, 30):
        sent += [item.values for item in gate.offer("target", tick * 100 * MS, goal, tick * 100 * MS)]
    np.testing.assert_allclose(np.linalg.norm(sent, axis=1), 1.0, atol=1e-9)
    assert abs(sent[-1] @ goal) == pytest.approx(1.0, abs=1e-6) and gate.counters.clamped > 2
