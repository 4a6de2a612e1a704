"""The shipped checkpoint drives the arm through the topics, to the bit as it does in one process without ROS."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.time import Time
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from std_srvs.srv import SetBool

from dvf_ros.cli.closed_loop import run_episode
from dvf_ros.control.gate import input_topic
from dvf_ros.core.spec import RobotSpec
from dvf_ros.learning.checkpoint import load_checkpoint
from dvf_ros.msg import ControllerStatus, Outcome
from dvf_ros.sim.robosuite_sim import RobosuiteSim
from tests.nodes.harness import ros_domain, wait_for
from tests.nodes.test_controller import LATCHED

pytestmark = pytest.mark.ros

ROOT = Path(__file__).parents[2]
SPEC = ROOT / "config" / "panda_lift.yaml"
CHECKPOINT = ROOT / "resource" / "panda_lift.yaml"
STEPS = 60


@pytest.mark.parametrize("gated", [False, True], ids=["alone", "gated"])
def test_topics_change_nothing(tmp_path: Path, gated: bool) -> None:
    with ros_domain(tmp_path) as (processes, observer):
        states = observer.collect(JointState, "joint_states", 1000)
        outcomes = observer.collect(Outcome, "outcome", 1000)
        processes.start("sim_bridge", {"spec": SPEC, "mode": "lockstep", "seed": 3})
        inputs = {}
        if gated:
            inputs = {source.topic: input_topic(source.topic) for source in RobotSpec.load(SPEC).action}
            # A simulation that waits has no deadline, however slow this machine is.
            processes.start("command_gate", {"spec": SPEC, "deadline": 10.0})
        wait_for(lambda: states, "the first state", timeout=60.0)
        processes.start(
            "controller",
            {"spec": SPEC, "checkpoint": CHECKPOINT, "tick_on": "state", "lockstep": True, "device": "cpu"},
            remappings=inputs,
        )
        for transition in (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE):
            request = ChangeState.Request(transition=Transition(id=transition))
            assert observer.call(ChangeState, "controller/change_state", request, timeout=60.0).success
        wait_for(lambda: len({stamp_of(outcome) for outcome in outcomes}) > STEPS, f"{STEPS} steps", timeout=60.0)

    seen = {stamp_of(state): np.array(state.position[:7], np.float32) for state in states}
    first = min(seen)
    agent = load_checkpoint(CHECKPOINT)
    sim = RobosuiteSim("lift", agent.spec.rate)
    alone = run_episode(agent, sim, seed=3, steps=STEPS, agent_seed=0, first_stamp=first)
    every = agent.decision.execute * agent.spec.period_ns
    decided = np.stack([seen[first + k * every] for k in range(len(alone.states))])
    assert (decided == alone.states[:, :7]).all()


@pytest.mark.parametrize("model", ["", "model hangs"])
def test_a_robot_that_was_stopped_before_its_first_command_goes_on(tmp_path: Path, model: str) -> None:
    """Such a stop has nothing to say to the gripper, and the simulation waits for all of a command, however long."""
    with ros_domain(tmp_path) as (processes, observer):
        outcomes = observer.collect(Outcome, "outcome", 1000)
        statuses = observer.collect(ControllerStatus, "controller/status", LATCHED)
        processes.start("sim_bridge", {"spec": SPEC, "mode": "lockstep", "seed": 3})
        faults = observer.node.create_publisher(String, "fault", 10)
        given = (f"spec:={SPEC}", f"checkpoint:={CHECKPOINT}", "tick_on:=state", "lockstep:=true")
        words = [word for parameter in given for word in ("-p", parameter)]
        processes.start_module("benchmarks.faults.faulty_controller", "--ros-args", *words)

        def change(transition: int) -> None:
            request = ChangeState.Request(transition=Transition(id=transition))
            assert observer.call(ChangeState, "controller/change_state", request, timeout=60.0).success

        change(Transition.TRANSITION_CONFIGURE)
        assert observer.call(SetBool, "controller/pause", SetBool.Request(data=True)).success
        change(Transition.TRANSITION_ACTIVATE)
        wait_for(lambda: statuses[-1].state == ControllerStatus.PAUSED and statuses[-1].ticks > 2, "pauses")
        assert not outcomes
        faults.publish(String(data=model))
        assert observer.call(SetBool, "controller/pause", SetBool.Request(data=False)).success
        wait_for(lambda: len(outcomes) > (0 if model else 5), "steps", timeout=60.0)
        assert statuses[-1].deadline_misses == 0, "a state that is said again meanwhile asks for no second decision"


def stamp_of(message: JointState | Outcome) -> int:
    return Time.from_msg(message.header.stamp).nanoseconds
