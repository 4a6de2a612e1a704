"""Messages become frames by the rules that run live; what is cut or masked, and why."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dvf_ros.core.alignment import Aligner
from dvf_ros.core.selection import FieldSelector
from dvf_ros.core.spec import RobotSpec
from dvf_ros.data.cutting import Cutting
from dvf_ros.data.dataset import Episode
from dvf_ros.data.episodes import EpisodeCutter, Label
from tests.data.bag_making import (
    MS,
    ROOT,
    SPEC,
    START,
    joint_state,
    make,
    outcome,
    pose,
    pose_stamped,
    quaternion,
    twist,
    twist_stamped,
    vector,
)
from tests.data.bag_making import header as make_header

PERIOD = SPEC.period_ns
NOBODY = Label()


def replay(
    messages: list, spec: RobotSpec = SPEC, min_frames: int = 2, label: Label = NOBODY
) -> tuple[list[Episode], EpisodeCutter]:
    """Push (receive, topic, message) in the order of receive."""
    cutter = EpisodeCutter(spec, label, min_frames)
    episodes = []
    for receive, topic, message in sorted(messages, key=lambda item: item[0]):
        episodes += cutter.push(topic, receive, message)
    return [*episodes, *cutter.finish()], cutter


def state(k: float, receive: int | None = None) -> list:
    """Both state topics at tick `k`."""
    stamp = START + round(k * PERIOD)
    at = stamp if receive is None else receive
    return [(at, "joint_states", joint_state(stamp, {"a": k, "b": -k})), (at, "tip", pose_stamped(stamp, k))]


def command(k: float, value: float, receive: int | None = None) -> tuple:
    stamp = START + round(k * PERIOD)
    return (stamp if receive is None else receive, "cmd", twist_stamped(stamp, value))


def result(k: float, reward: float, **flags: bool) -> tuple:
    stamp = START + round(k * PERIOD)
    return (stamp, "outcome", outcome(stamp, reward, **flags))


def states(n: int, start: int = 0) -> list:
    return [item for k in range(start, start + n) for item in state(k)]


def test_topics_of_different_rates_with_jitter_meet_at_the_ticks() -> None:
    rng = np.random.default_rng(0)
    fast = np.cumsum(rng.uniform(2 * MS, 12 * MS, 700).astype(np.int64)) + START
    slow = np.cumsum(rng.uniform(30 * MS, 90 * MS, 80).astype(np.int64)) + START
    messages = [(t + rng.integers(5 * MS), "joint_states", joint_state(int(t), {"a": t - START, "b": 0})) for t in fast]
    messages += [(t + rng.integers(5 * MS), "tip", pose_stamped(int(t), t - START)) for t in slow]
    (episode,), _ = replay(messages)
    assert np.all(np.diff(episode.stamps) == PERIOD)
    assert len(episode.stamps) > 35
    for stamp, row in zip(episode.stamps, episode.states, strict=True):
        # By hand: the newest value not after the tick.
        assert row[0] == np.float32(fast[fast <= stamp].max() - START)
        assert row[2] == np.float32(slow[slow <= stamp].max() - START)


def test_the_action_of_a_frame_is_the_last_command_before_the_next_frame() -> None:
    messages = states(4)
    messages += [command(0.2, 1), command(0.6, 2), command(1.0, 3), command(2.99, 4), command(3.0, 5)]
    (episode,), _ = replay(messages)
    # A command stamped exactly at a frame is an answer to that frame.
    assert episode.actions[:, 0].tolist() == [2, 3, 4, 0]
    assert episode.action_mask.tolist() == [True, True, True, False]


def test_a_command_recorded_after_the_next_state_still_counts() -> None:
    late = START + round(1.9 * PERIOD)
    (episode,), _ = replay([*states(5), command(0.5, 7, receive=late)])
    assert episode.actions[0, 0] == 7
    assert episode.action_mask.tolist() == [True, True, False, False, False]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_command_that_is_too_old_or_not_finite_is_masked(bad: float) -> None:
    (episode,), _ = replay([*states(6), command(0.5, 1), command(3.5, bad), command(4.5, 2)])
    # max_age 0.15 s: the command of 0.05 s still counts just before 0.2 s, no longer before 0.3 s.
    assert episode.action_mask.tolist() == [True, True, False, False, True, False]
    assert episode.actions[:, 0].tolist() == [1, 1, 0, 0, 2, 0]
    assert episode.quality["action_coverage"] == pytest.approx(3 / 5)


def test_reward_is_the_one_on_arrival() -> None:
    (episode,), _ = replay([*states(4), result(1, 10), result(3, np.nan), result(2, 20)])
    assert episode.rewards.tolist() == [10, 20, 0, 0]
    assert episode.reward_mask.tolist() == [True, True, False, False]
    assert (episode.terminated, episode.truncated, episode.success) == (False, True, False)


def test_without_outcome_nothing_is_claimed() -> None:
    (episode,), _ = replay(states(4))
    assert not episode.reward_mask.any()
    assert (episode.terminated, episode.truncated, episode.success) == (False, True, None)


def test_termination_ends_the_episode_and_the_next_begins_when_the_outcome_says_so() -> None:
    messages = [*states(10), *(result(k, k, terminated=k in (3, 4, 5), success=k == 2) for k in range(10))]
    (first, second), cutter = replay(messages)
    assert (len(first.states), first.terminated, first.truncated, first.success) == (4, True, False, True)
    assert first.rewards.tolist() == [1, 2, 3, 0]
    assert (len(second.states), second.terminated, second.success) == (4, False, False)
    assert second.states[0, 0] == 6
    assert cutter.report.dropped == {"after the episode's end": 2}


def test_the_label_wins_over_the_outcome_topic() -> None:
    (episode,), _ = replay([*states(3), result(1, 0, success=True)], label=Label("bag", "d", "expert", False))
    assert (episode.success, episode.behavior, episode.source) == (False, "expert", "bag")


def test_a_silent_topic_cuts_and_is_named() -> None:
    messages = [m for m in states(20) if not (m[1] == "tip" and START + 5 * PERIOD <= m[0] < START + 9 * PERIOD)]
    (first, second), cutter = replay(messages)
    assert first.states[-1, 0] == 5  # held for one tick, within max_age
    assert second.states[0, 0] == 9
    assert cutter.report.dropped == {"too old: tip": 3}
    assert (cutter.report.ticks, len(first.states) + len(second.states)) == (20, 17)
    assert cutter.report.kept[0]["end"] == "too old: tip"
    assert second.quality["ticks_dropped"] == pytest.approx(3 / 14)


def test_a_long_gap_begins_new_ticks_and_counts_what_is_missing() -> None:
    shifted = [(r + 7 * MS, topic, m) for k in range(60, 65) for r, topic, m in state(k + 0.3)]
    (first, second), cutter = replay([*states(5), *shifted])
    assert second.stamps[0] == START + round(60.3 * PERIOD)
    assert cutter.report.kept[0] == {"start": START, "frames": 5, "end": "gap in the data"}
    assert cutter.report.dropped == {"gap in the data": 55}
    assert (len(first.states), len(second.states)) == (5, 5)


def test_time_jumping_back_begins_a_new_episode_without_old_actions() -> None:
    cutter = EpisodeCutter(SPEC)
    episodes: list[Episode] = []
    for receive, topic, message in [*states(12), command(0.5, 9), command(10.5, 1)]:
        episodes += cutter.push(topic, receive, message)
    for receive, topic, message in states(6):
        episodes += cutter.push(topic, receive, message)
    episodes += cutter.finish()
    assert [len(e.states) for e in episodes] == [12, 6]
    assert episodes[0].action_mask[10] and episodes[0].actions[10, 0] == 1
    assert not episodes[1].action_mask.any()
    assert cutter.report.kept[0]["end"] == "time jumped back"


@pytest.mark.parametrize("bad", [np.nan, -np.inf])
def test_a_state_that_is_not_finite_is_no_frame(bad: float) -> None:
    messages = states(9)
    stamp = START + 4 * PERIOD
    messages[9] = (stamp, "tip", pose_stamped(stamp, bad))
    episodes, cutter = replay(messages)
    assert [len(e.states) for e in episodes] == [4, 4]
    assert all(np.isfinite(e.states).all() for e in episodes)
    assert cutter.report.dropped == {"state not finite": 1}


def test_short_pieces_are_dropped_with_their_reason() -> None:
    messages = [*states(1), *states(4, start=30)]
    episodes, cutter = replay(messages, min_frames=3)
    assert [len(e.states) for e in episodes] == [4]
    assert cutter.report.short == [{"start": START, "frames": 1, "end": "gap in the data"}]
    assert cutter.report.dropped == {"episode shorter than 3 frames": 1, "gap in the data": 29}


def test_messages_that_do_not_fit_are_refused_and_counted() -> None:
    messages = states(6)
    stamp = START + 2 * PERIOD
    messages[4] = (stamp, "joint_states", joint_state(stamp, {"a": 1.0}))
    (episode,), cutter = replay(messages)
    ((reason, count),) = cutter.report.refused.items()
    assert count == 1 and "joint 'b' is not in the message" in reason
    assert episode.states[2, 0] == 1  # the value before, still fresh
    assert episode.quality["age_max"] == pytest.approx(0.1)


def test_joint_order_may_change() -> None:
    messages = states(4)
    stamp = START + 2 * PERIOD
    messages[4] = (stamp, "joint_states", joint_state(stamp, {"b": -2.0, "z": 9.0, "a": 2.0}))
    (episode,), _ = replay(messages)
    assert episode.states[:, :2].tolist() == [[0, 0], [1, -1], [2, -2], [3, -3]]


def test_a_live_aligner_computes_the_same_bits() -> None:
    rng = np.random.default_rng(1)
    messages = []
    for k in range(40):
        for _, topic, message in state(k + float(rng.uniform(0, 0.3))):
            messages.append((message.header.stamp.sec * 10**9 + message.header.stamp.nanosec + 2 * MS, topic, message))
    episodes, _ = replay(messages)
    aligner = Aligner(SPEC.state)
    selectors = {source.topic: FieldSelector(source) for source in SPEC.state}
    # Live, the topics may well arrive in another order.
    for topic in ("tip", "joint_states"):
        for receive, name, message in messages:
            if name == topic:
                aligner.push(topic, selectors[topic].stamp(message, receive), selectors[topic].select(message))
    assert sum(len(e.stamps) for e in episodes) >= 38
    for episode in episodes:
        live = np.stack([aligner.sample(int(stamp)).values for stamp in episode.stamps])
        assert live.tobytes() == episode.states.tobytes()


def test_a_mobile_base_goes_through_its_own_spec() -> None:
    spec = RobotSpec.load(ROOT / "config" / "base_goto.yaml")
    covariance = np.zeros(36)
    messages = []
    for k in range(30):
        stamp = START + k * 50 * MS
        odometry = make(
            "nav_msgs/msg/Odometry",
            header=make_header(stamp, "odom"),
            child_frame_id="base_link",
            pose=make("geometry_msgs/msg/PoseWithCovariance", pose=pose(k, 0, 0), covariance=covariance),
            twist=make(
                "geometry_msgs/msg/TwistWithCovariance", twist=twist((k, 0, 0), (0, 0, 0)), covariance=covariance
            ),
        )
        imu = make(
            "sensor_msgs/msg/Imu",
            header=make_header(stamp, "imu"),
            orientation=quaternion(),
            orientation_covariance=np.zeros(9),
            angular_velocity=vector(0, 0, k),
            angular_velocity_covariance=np.zeros(9),
            linear_acceleration=vector(k, 0, 9.81),
            linear_acceleration_covariance=np.zeros(9),
        )
        messages += [(stamp, "odom", odometry), (stamp, "imu", imu)]
        # A Twist has no header: the spec takes the time of receiving.
        messages.append((stamp + 10 * MS, "cmd_vel", twist((k / 10, 0, 0), (0, 0, -k))))
    (episode,), _ = replay(messages, spec)
    assert episode.states.shape == (15, 16)
    assert episode.states[:, 0].tolist() == list(range(0, 30, 2))
    np.testing.assert_array_equal(episode.states[:, 3:7], np.tile([0, 0, 0, 1], (15, 1)))
    np.testing.assert_allclose(episode.actions[:-1, 0], np.arange(1, 28, 2) / 10, rtol=1e-6)
    assert episode.action_mask.tolist() == [True] * 14 + [False]


def test_a_slow_topic_costs_no_frames_neither_on_the_way_nor_at_the_end() -> None:
    source = SPEC.state[1]
    slow = replace(SPEC, state=(SPEC.state[0], replace(source, max_age=5.0)))
    period = round(1.0 / SPEC.rate * 1e9)
    messages = [m for m in states(100) if m[1] == "joint_states"]
    messages += [m for m in states(100) if m[1] == "tip" and (m[0] - START) % (20 * period) == 0]
    (episode,), cutter = replay(messages, slow)
    assert len(episode.states) == 100 and not cutter.report.dropped
    assert episode.states[:, 2].tolist() == [20 * (k // 20) for k in range(100)]


def test_the_last_frame_waits_for_all_topics_of_its_tick() -> None:
    messages = states(10)
    (episode,), _ = replay(messages[:-1])
    assert len(episode.states) == 9, "the tip of tick 9 was not recorded, and that of tick 8 is none of it"


def test_a_fast_topic_beside_one_that_lags_loses_nothing() -> None:
    lag, step = 1_200 * MS, 2 * MS
    stamps = range(START, START + 10_000 * MS, step)
    messages = [(stamp, "joint_states", joint_state(stamp, {"a": stamp - START, "b": 0})) for stamp in stamps]
    messages += [(m[0] + lag, *m[1:]) for m in states(90) if m[1] == "tip"]
    episodes, cutter = replay(messages)
    assert [len(one.states) for one in episodes] == [90] and not cutter.report.dropped


def test_a_reward_that_is_said_once_counts_once() -> None:
    outcome_source = SPEC.outcome
    assert outcome_source is not None
    held = replace(SPEC, outcome=replace(outcome_source, max_age=1.0))
    (episode,), _ = replay([*states(12), result(2.3, 5.0)], held)
    assert episode.rewards.tolist() == [0, 0, 5, *[0] * 9]
    assert episode.reward_mask.tolist() == [False, False, True, *[False] * 9]


def test_after_an_end_that_is_said_once_a_gap_begins_the_next_episode() -> None:
    messages = [*states(6), result(5, 1.0, terminated=True), *states(6, start=60), result(65, 2.0, terminated=True)]
    episodes, cutter = replay(messages)
    assert [(len(one.states), one.terminated) for one in episodes] == [(6, True), (6, True)]
    assert cutter.report.dropped == {"gap in the data": 54}


def test_after_an_end_that_is_said_once_an_event_begins_the_next_episode() -> None:
    outcome_source = SPEC.outcome
    assert outcome_source is not None
    held = replace(SPEC, outcome=replace(outcome_source, max_age=1.0))
    cutter = EpisodeCutter(held, NOBODY, 2, Cutting(start_on=("/go",)))
    episodes: list[Episode] = []
    ends = [result(k, 1.0, terminated=True) for k in (5, 11)]
    for receive, topic, message in sorted([*states(12), *ends], key=lambda item: item[0]):
        if topic == "joint_states" and receive in (START, START + 6 * PERIOD):
            cutter.event("/go")
        episodes += cutter.push(topic, receive, message)
    episodes += cutter.finish()
    assert [one.terminated for one in episodes] == [True, True]
    assert sum(len(one.states) for one in episodes) >= 11
