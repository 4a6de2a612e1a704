"""The brain: one safe command per tick, a stop for everything else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dvf_ros.control.brain import Brain, Command, Request
from dvf_ros.core.decision import Decision
from dvf_ros.core.spec import RobotSpec

SPEC = RobotSpec.load("config/base_goto.yaml")
PERIOD = SPEC.period_ns


def decision(chunk: np.ndarray) -> Decision:
    one = np.zeros(1)
    return Decision(
        chunk=chunk,
        chosen=0,
        candidates=chunk[None],
        scores=one,
        values=one,
        disagreement=one,
        standard_error=one,
        discount=0.9,
        supported=np.ones(1, bool),
    )


def make_brain(**settings: float) -> Brain:
    return Brain(SPEC, **({"execute": 2, "max_reuse": 1, "gap": 0.3} | settings))


def observe(brain: Brain, stamp: int, value: float = 0.0) -> None:
    for source in SPEC.state:
        brain.observe(source.topic, stamp, np.full(source.size, value))


def forward(command: Command | Request) -> float:
    assert isinstance(command, Command) and not command.stop_reason, command
    return float(command.action[0])


CHUNK = np.array([[0.01, 0.0], [0.02, 0.0], [0.03, 0.0], [0.04, 0.0]])


def started(brain: Brain) -> int:
    """Accept CHUNK at the first tick; returns its stamp."""
    observe(brain, PERIOD)
    request = brain.tick(PERIOD)
    assert isinstance(request, Request)
    assert forward(brain.accept(decision(CHUNK), request)) == pytest.approx(0.01)
    return PERIOD


def test_a_chunk_is_executed_in_part_before_the_next_decision() -> None:
    brain = make_brain()
    stamp = started(brain)
    observe(brain, stamp + PERIOD)
    assert forward(brain.tick(stamp + PERIOD)) == pytest.approx(0.02)
    observe(brain, stamp + 2 * PERIOD)
    assert isinstance(brain.tick(stamp + 2 * PERIOD), Request)


def test_a_purpose_that_changed_drops_the_chunk_even_if_the_next_decision_is_late() -> None:
    brain = make_brain()
    stamp = started(brain) + PERIOD
    brain.decide_anew()
    observe(brain, stamp)
    request = brain.tick(stamp)
    assert isinstance(request, Request), "not the rest of the old chunk"
    late = brain.late(request)
    assert late.stop_reason == "no decision in time"


def test_a_late_decision_is_bridged_by_the_chunk_and_then_stops() -> None:
    brain = make_brain()
    stamp = started(brain) + PERIOD
    observe(brain, stamp)
    brain.tick(stamp)
    expected = [pytest.approx(0.03), "no decision in time"]
    for outcome in expected:
        stamp += PERIOD
        observe(brain, stamp)
        request = brain.tick(stamp)
        assert isinstance(request, Request)
        answer = brain.late(request)
        assert (answer.stop_reason or answer.action[0]) == outcome
    assert brain.counters.deadline_misses == 2 and brain.counters.reused == 1


def test_a_request_of_an_episode_that_is_over_is_not_late() -> None:
    """A simulation that is reset says the last state of one episode and the first of the next within milliseconds."""
    brain = make_brain()
    observe(brain, PERIOD)
    request = brain.tick(PERIOD)
    assert isinstance(request, Request)
    assert not brain.outdated(request, 2 * PERIOD)
    assert brain.outdated(request, PERIOD + 10**9) and brain.outdated(request, 0)
    observe(brain, PERIOD + 10**9)
    assert isinstance(brain.tick(PERIOD + 10**9), Request)
    assert brain.counters.deadline_misses == 0 and brain.counters.stops == 0


def test_decisions_that_time_cut_short_are_counted_and_used() -> None:
    brain = make_brain()
    observe(brain, PERIOD)
    request = brain.tick(PERIOD, now=17)
    assert isinstance(request, Request) and request.asked == 17
    assert forward(brain.accept(replace(decision(CHUNK), unscored=3), request)) == pytest.approx(0.01)
    assert brain.counters.cut_short == 1


def test_a_pause_stops_every_tick_and_ends_in_a_new_decision() -> None:
    brain = make_brain(execute=4)
    stamp = started(brain)
    brain.barred = "paused"
    for _ in range(5):
        stamp += PERIOD
        observe(brain, stamp)
        answer = brain.tick(stamp)
        assert isinstance(answer, Command) and answer.stop_reason == "paused" and (answer.action == 0).all()
    brain.barred = ""
    observe(brain, stamp + PERIOD)
    assert isinstance(brain.tick(stamp + PERIOD), Request), "the chunk from before the pause is not taken up again"


def test_nothing_heard_stops() -> None:
    answer = make_brain().tick(PERIOD)
    assert isinstance(answer, Command) and "no message yet on odom, imu" in answer.stop_reason


def test_one_silent_topic_stops_and_drops_the_chunk() -> None:
    brain = make_brain(execute=4, gap=10.0)
    stamp = started(brain)
    late = stamp + 4 * PERIOD  # 0.4 s: beyond the 0.3 s that the spec allows
    brain.observe("odom", late, np.zeros(10))
    answer = brain.tick(late)
    assert isinstance(answer, Command) and answer.stop_reason == "too old: imu"
    observe(brain, late + PERIOD)
    assert isinstance(brain.tick(late + PERIOD), Request)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_state_that_is_not_finite_stops(bad: float) -> None:
    brain = make_brain()
    observe(brain, PERIOD, bad)
    answer = brain.tick(PERIOD)
    assert isinstance(answer, Command) and "NaN or Inf" in answer.stop_reason


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_decision_that_is_not_finite_stops(bad: float) -> None:
    brain = make_brain()
    observe(brain, PERIOD)
    request = brain.tick(PERIOD)
    assert isinstance(request, Request)
    answer = brain.accept(decision(np.full((4, 2), bad)), request)
    assert answer.stop_reason and (answer.action == 0).all()


def test_time_that_jumps_forward_drops_the_chunk() -> None:
    brain = make_brain(execute=4)
    stamp = started(brain) + 10 * PERIOD
    observe(brain, stamp)
    assert isinstance(brain.tick(stamp), Request)


def test_time_that_jumps_back_forgets_what_was_observed() -> None:
    brain = make_brain(execute=4)
    started(brain)
    observe(brain, 100 * PERIOD)
    brain.observe("odom", 10 * PERIOD, np.zeros(10))
    answer = brain.tick(10 * PERIOD)
    assert isinstance(answer, Command) and answer.stop_reason == "time jumped by -9.00 s", "the stamps' jump"
    answer = brain.tick(10 * PERIOD)
    assert isinstance(answer, Command) and "no message yet on imu" in answer.stop_reason


def test_a_decision_that_its_agent_refuses_stops_the_robot() -> None:
    brain = make_brain()
    observe(brain, 0)
    request = brain.tick(0)
    assert isinstance(request, Request)
    astray = replace(decision(np.zeros((4, 2))), supported=np.zeros(1, bool))
    answer = brain.accept(replace(astray, refusal="far from the data"), request)
    assert answer.stop_reason == "far from the data" and brain.counters.stops == 1


def test_a_decision_far_from_the_data_is_counted_and_executed_where_it_is_only_to_be_reported() -> None:
    brain = make_brain(execute=1)
    stamp = started(brain)
    assert brain.counters.unsupported == 0
    observe(brain, stamp + PERIOD)
    request = brain.tick(stamp + PERIOD)
    assert isinstance(request, Request)
    assert forward(brain.accept(replace(decision(CHUNK), supported=np.zeros(1, bool)), request)) != 0
    assert brain.counters.unsupported == 1


TRANSFORMED = RobotSpec.parse(
    """
robot: arm
task: test
rate: 20
state:
  - topic: tf
    type: tf2_msgs/msg/TFMessage
    parent: world
    child: tip
    fields: [{name: tip, kind: vector, path: transform.translation, unit: m}]
action:
  - topic: target
    type: std_msgs/msg/Float64MultiArray
    stamp: receive
    fields: [{name: target, kind: array, path: data, size: 3, follows: tip, stop_mode: hold, max_rate: [1, 1, 1]}]
"""
)
TIP = np.array([0.1, 0.2, 0.3])


def reaching(brain: Brain, ticks: int) -> Command:
    """Lead the tip away from TIP for some ticks; returns the last command."""
    for tick in range(1, ticks + 1):
        brain.observe(TRANSFORMED.state[0].key, tick * PERIOD, TIP, tick * PERIOD)
        answer = brain.tick(tick * PERIOD, tick * PERIOD)
        if isinstance(answer, Request):
            answer = brain.accept(decision(np.full((8, 3), 0.9)), answer)
    return answer


def test_a_state_of_transforms_is_known_by_its_frames() -> None:
    command = reaching(Brain(TRANSFORMED, execute=4, max_reuse=2, gap=0.15), 8)
    assert not command.stop_reason and (command.action > TIP).all()


@pytest.mark.parametrize("jump", [-100 * PERIOD, 1000 * PERIOD])
def test_after_a_jump_of_time_no_target_of_before_is_held(jump: int) -> None:
    brain = Brain(TRANSFORMED, execute=4, max_reuse=2, gap=0.15)
    reaching(brain, 8)
    stop = brain.tick(8 * PERIOD + jump)
    assert isinstance(stop, Command) and "time jumped" in stop.stop_reason and np.isnan(stop.action).all()


def test_a_brain_that_lost_track_holds_nothing_and_starts_from_the_measured_state() -> None:
    brain = Brain(TRANSFORMED, execute=4, max_reuse=2, gap=0.15)
    reaching(brain, 8)
    brain.lose_track()
    assert np.isnan(brain.stop(9 * PERIOD, "test").action).all()
    brain.observe(TRANSFORMED.state[0].key, 10 * PERIOD, TIP + 0.4, 10 * PERIOD)
    request = brain.tick(10 * PERIOD, 10 * PERIOD)
    assert isinstance(request, Request)
    assert brain.accept(decision(np.full((8, 3), 0.9)), request).action == pytest.approx(TIP + 0.4)


def test_a_clock_set_back_by_little_forgets_what_was_observed() -> None:
    """Stamps of before and after would lie among each other, and old values look fresh."""
    brain = make_brain(execute=1)
    started(brain)
    for tick in range(2, 11):
        observe(brain, tick * PERIOD, 0.1 * tick)
        brain.tick(tick * PERIOD)
    answer = brain.tick(7 * PERIOD)
    assert isinstance(answer, Command) and answer.stop_reason == "time jumped by -0.30 s"
    answer = brain.tick(8 * PERIOD)
    assert isinstance(answer, Command) and "no message yet on odom" in answer.stop_reason
    observe(brain, 9 * PERIOD, 5.0)
    request = brain.tick(9 * PERIOD)
    assert isinstance(request, Request) and (request.state == 5.0).all()


def test_a_slow_robots_period_is_no_jump_of_time() -> None:
    brain = Brain(replace(TRANSFORMED, rate=0.1), execute=1, max_reuse=0, gap=30.0)
    for tick in (1, 2):
        stamp = tick * 10 * 1_000_000_000
        brain.observe(TRANSFORMED.state[0].key, stamp, TIP, stamp)
        request = brain.tick(stamp, stamp)
        assert isinstance(request, Request), request.stop_reason
        brain.accept(decision(np.full((1, 3), 0.9)), request)
