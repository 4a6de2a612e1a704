"""The simulation bridge as a process: what it says, takes, refuses, and how it keeps time."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rosgraph_msgs.msg import Clock
from std_srvs.srv import SetBool, Trigger
from visualization_msgs.msg import MarkerArray

from dvf_ros.core.parsing import ConfigError
from dvf_ros.core.spec import RobotSpec
from dvf_ros.nodes.sim_commands import HELD, CommandInbox
from dvf_ros.nodes.sim_topics import check_spec
from dvf_ros.sim.observation import Command
from dvf_ros.sim.robosuite_sim import RobosuiteSim
from dvf_ros.srv import Reset
from tests.nodes.harness import Observer, Processes, ros_domain, wait_for
from tests.nodes.simulated_arm import PERIOD, SimulatedArm, stamp_of

SPEC = Path(__file__).parents[2] / "config" / "panda_lift.yaml"
SECOND = 1_000_000_000
STEPS = 40

Bridge = tuple[Processes, Observer, SimulatedArm]


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridge]:
    with ros_domain(tmp_path_factory.mktemp("bridge")) as (processes, observer):
        arm = SimulatedArm(observer)
        process = processes.start("sim_bridge", {"spec": SPEC, "mode": "lockstep", "command_timeout": 1.0})
        arm.newest()
        yield processes, observer, arm
        assert processes.end(process, signal.SIGINT) == 0


def reset(bridge: Bridge, seed: int) -> int:
    """Reset and return the stamp of the first state."""
    _, observer, arm = bridge
    before = arm.newest()
    response = observer.call(Reset, "sim_bridge/reset", Reset.Request(seed=seed))
    assert response.success, response.message
    return arm.newest(after=before)


def commands() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    twists = np.zeros((STEPS, 6))
    twists[:, [0, 1, 2, 5]] = rng.uniform(-0.2, 0.2, (STEPS, 4))
    return twists, rng.choice([0.0, 0.08], STEPS)


@pytest.mark.ros
def test_lockstep_gives_the_same_states_twice_and_as_without_ros(bridge: Bridge) -> None:
    arm = bridge[2]
    twists, widths = commands()
    runs, rewards = [], []
    for _ in range(2):
        stamp = reset(bridge, seed=3)
        states = [arm.state(stamp)]
        for twist, width in zip(twists, widths, strict=True):
            stamp = arm.step(stamp, twist=twist, width=(width,))
            states.append(arm.state(stamp))
            rewards.append(arm.outcome(stamp).reward)
        runs.append(np.array(states))

    simulation = RobosuiteSim("lift", 20.0)
    seen = [simulation.reset(3)]
    seen += [simulation.step(Command(t[:3], t[3:], w)) for t, w in zip(twists, widths, strict=True)]
    alone = [
        np.concatenate([o.joint_position, o.joint_velocity, o.eef_position, o.eef_orientation, o.objects["cube"]])
        for o in seen
    ]
    simulation.close()
    np.testing.assert_array_equal(runs[0], runs[1])
    np.testing.assert_array_equal(runs[0], np.array(alone))
    assert rewards == [o.reward for o in seen[1:]] * 2


@pytest.mark.ros
def test_stamps_go_on_by_periods_and_jump_ahead_at_a_reset(bridge: Bridge) -> None:
    _, observer, arm = bridge
    clock = observer.collect(Clock, "/clock")
    first = reset(bridge, seed=5)
    second = arm.step(arm.step(first))
    assert second == first + 2 * PERIOD
    assert reset(bridge, seed=-1) == second + SECOND, "a gap, and never back"
    wait_for(lambda: clock and clock[-1].clock.sec * SECOND + clock[-1].clock.nanosec == second + SECOND, "the clock")
    assert arm.said["joint_states"][-1].header.frame_id == "world"
    assert len(arm.said["joint_states"][-1].name) == 9
    assert all(stamp_of(message) != first for message in arm.said["outcome"]), "no reward before the first step"
    assert not observer.call(Reset, "sim_bridge/reset", Reset.Request(seed=-2)).success


@pytest.mark.ros
@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ({"twist": (0.1, float("nan"), 0, 0, 0, 0)}, "linear.y = nan"),
        ({"twist": (0, 0, 0, 0, 0, float("inf"))}, "angular.z = inf"),
        ({"width": (float("nan"),)}, "gripper_width.gripper = nan"),
        ({"width": (0.08, 0.0)}, "expected 1 numbers, one a name, found 2"),
        ({"frame": "panda_link0"}, "expected a velocity in frame 'world', found 'panda_link0'"),
    ],
)
def test_bad_commands_are_refused_and_change_nothing(bridge: Bridge, bad: dict[str, object], told: str) -> None:
    processes, _, arm = bridge
    stamp = reset(bridge, seed=1)
    before = arm.state(stamp)

    def refused() -> bool:
        # Logged once a second at most, so the first of them may go unsaid.
        arm.command(stamp, **bad)
        time.sleep(0.1)
        return told in processes.log("sim_bridge")

    wait_for(refused, f"a refusal: {told}")
    assert arm.newest() == stamp, "no step"
    np.testing.assert_array_equal(arm.state(stamp), before)
    assert arm.step(stamp) == stamp + PERIOD, "goes on with a good one"


@pytest.mark.ros
def test_missing_commands_hold_with_a_clear_error(bridge: Bridge) -> None:
    processes, observer, arm = bridge
    statuses = observer.collect(DiagnosticArray, "/diagnostics")
    stamp = reset(bridge, seed=1)
    said = f"no command for the state of {stamp * 1e-9:.3f} s within 1.0 s"
    wait_for(lambda: said in processes.log("sim_bridge"), "the error")
    wait_for(
        lambda: any(
            s.level == DiagnosticStatus.ERROR and "holding" in s.message for m in list(statuses) for s in m.status
        ),
        "diagnostics that say so",
    )
    again = [message for message in list(arm.said["joint_states"]) if stamp_of(message) == stamp]
    assert len(again) > 1, "the state is said again while it waits"
    assert arm.newest() == stamp
    assert arm.step(stamp) == stamp + PERIOD
    wait_for(lambda: "going on after" in processes.log("sim_bridge"), "the end of the trouble")


@pytest.mark.ros
def test_paused_it_takes_single_steps_only(bridge: Bridge) -> None:
    _, observer, arm = bridge
    stamp = reset(bridge, seed=1)
    refused = observer.call(Trigger, "sim_bridge/step", Trigger.Request())
    assert not refused.success and "pause" in refused.message
    assert observer.call(SetBool, "sim_bridge/pause", SetBool.Request(data=True)).success
    arm.command(stamp)
    assert observer.call(Trigger, "sim_bridge/step", Trigger.Request()).success
    assert arm.newest(after=stamp) == stamp + PERIOD, "one step, and the command waits"
    assert observer.call(SetBool, "sim_bridge/pause", SetBool.Request(data=False)).success
    assert arm.step(stamp + PERIOD) == stamp + 2 * PERIOD


@pytest.mark.ros
def test_the_arm_is_drawn_from_its_base_to_its_fingers(bridge: Bridge) -> None:
    _, observer, arm = bridge
    pictures = observer.collect(MarkerArray, "sim_bridge/arm")
    stamp = reset(bridge, seed=3)

    def drawn() -> list[tuple[float, float, float]]:
        points = next((p.markers[0].points for p in list(pictures) if stamp_of(p.markers[0]) == stamp), [])
        return [(point.x, point.y, point.z) for point in points]

    places = np.array(wait_for(drawn, "a picture of the arm"))
    assert places.shape == (9, 3)
    np.testing.assert_array_equal(places[-1], arm.state(stamp)[18:21], "the last place is the end effector's")
    assert (np.linalg.norm(np.diff(places, axis=0), axis=1) < 0.5).all(), "no bone of a Panda is longer"


@pytest.mark.ros
def test_real_time_beside_another_robot(bridge: Bridge) -> None:
    processes, observer, other = bridge
    arm = SimulatedArm(observer, "fast/")
    still = reset(bridge, seed=1)
    speed, steps = 4.0, 120
    parameters = {"spec": SPEC, "mode": "realtime", "speed": speed, "publish_clock": False, "hold_timeout": 0.2}
    process = processes.start("sim_bridge", parameters, name="fast", namespace="/fast")
    first = arm.newest()
    begin = time.monotonic()
    wait_for(lambda: arm.stamps()[-1] >= first + steps * PERIOD, f"{steps} steps")
    spent = time.monotonic() - begin
    assert 0.9 < spent * speed / (steps * PERIOD * 1e-9) < 1.5, "paced by the clock"

    # A command for each state lifts the hand; without one the last is held for a while, and then the hand rests.
    answered = first
    wait_for(lambda: arm.state(arm.newest()) is not None, "a state")
    height = arm.state(answered := arm.newest())[20]
    for _ in range(30):
        answered = arm.newest(after=answered)
        arm.command(answered, twist=(0, 0, 0.2, 0, 0, 0))
    lifted = arm.state(answered)[20]
    assert lifted > height + 0.05, "commands are obeyed"
    rest = wait_for(lambda: arm.stamps()[-1] > answered + SECOND and arm.stamps()[-1], "a second without commands")
    assert lifted < arm.state(rest)[20] < lifted + 0.2 * 0.6, "held for 0.2 s only"
    assert abs(arm.state(rest)[20] - arm.state(arm.newest(after=rest + SECOND // 2))[20]) < 0.005, "at rest"
    assert other.newest() == still, "the robot beside it has not moved"
    assert processes.end(process, signal.SIGTERM) == 0


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("topic: eef_pose\n", "topic: eef_pos\n", "publishes no topic 'eef_pos'; did you mean 'eef_pose'"),
        ("topic: cmd_twist\n", "topic: cmd_vel\n", "takes no topic 'cmd_vel'"),
        (
            "type: geometry_msgs/msg/PoseStamped",
            "type: geometry_msgs/msg/PoseWithCovarianceStamped",
            "has no 'position'",
        ),
    ],
)
def test_a_spec_that_the_simulation_cannot_serve_is_refused(old: str, new: str, told: str) -> None:
    spec = RobotSpec.load(SPEC)
    assert spec.outcome
    said = {source.topic: source.type for source in (*spec.state, spec.outcome)}
    check_spec(spec, said)
    with pytest.raises(ConfigError, match=told):
        check_spec(RobotSpec.parse(SPEC.read_text().replace(old, new)), said)
    with pytest.raises(ConfigError, match="waits for 'gripper_command'"):
        check_spec(replace(spec, action=spec.action[:1]), said)


def test_halves_are_paired_by_stamp_in_any_order() -> None:
    inbox = CommandInbox()
    twist, width = np.arange(6.0), np.array([0.04])
    inbox.put("gripper_command", 20, width)
    inbox.put("cmd_twist", 10, twist)
    assert inbox.take_newest(30) is None
    assert "cmd_twist" in inbox.describe(20) and "gripper_command" not in inbox.describe(20)
    inbox.put("cmd_twist", 20, twist)
    inbox.put("gripper_command", 10, width)
    taken = inbox.take_newest(20)
    assert taken is not None and taken.stamp == 20 and taken.width == 0.04
    assert inbox.take_newest(20) is None, "what came before it is forgotten"
    for stamp in range(1000):
        inbox.put("cmd_twist", stamp, twist)
    assert not inbox.complete(999) and inbox.take_newest(999) is None


def test_stamps_that_no_state_will_have_do_not_push_out_the_right_ones() -> None:
    inbox = CommandInbox()
    twist, width = np.zeros(6), np.array([0.04])
    for k in range(2 * HELD):  # a node without use_sim_time: the machine's time, far ahead of the simulation's
        inbox.put("cmd_twist", 1_700_000_000 * SECOND + k, twist)
        inbox.put("gripper_command", 1_700_000_000 * SECOND + k, width)
    for stamp in range(3):
        inbox.put("cmd_twist", stamp, twist)
        inbox.put("gripper_command", stamp, width)
        taken = inbox.take_newest(stamp)
        assert taken is not None and taken.stamp == stamp
