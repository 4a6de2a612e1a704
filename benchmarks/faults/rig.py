"""The simulated robot, the eyes on the wire, and the processes under test. The clock is steady throughout."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped, TwistStamped
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.clock import Clock, ClockType
from rclpy.time import Time
from rosgraph_msgs.msg import Clock as ClockMessage
from sensor_msgs.msg import JointState
from std_msgs.msg import String

from dvf_ros.core.spec import RobotSpec
from dvf_ros.data.dataset import Dataset, Episode
from dvf_ros.learning.checkpoint import save_checkpoint
from dvf_ros.learning.config import DecisionConfig, LearningConfig, TrainingConfig
from dvf_ros.learning.training import train
from tests.nodes.harness import Observer, Processes, ros_domain, wait_for

SPEC_FILE = Path(__file__).parent / "arm.yaml"
SPEC = RobotSpec.load(SPEC_FILE)
PERIOD = 1 / SPEC.rate
STATE_PERIOD = 0.01
JOINTS = ("a", "b", "c")


def small_checkpoint(folder: Path) -> Path:
    """An agent trained for a moment on a sweeping arm: what it decides does not matter here, that it decides does."""
    rng = np.random.default_rng(0)
    episodes = []
    for _ in range(8):
        actions = np.hstack([rng.uniform(-0.5, 0.5, (40, 3)), rng.uniform(-1.5, 1.5, (40, 3))]).astype(np.float32)
        states = np.hstack([actions[:, 3:], np.cumsum(actions[:, :3], axis=0) * PERIOD]).astype(np.float32)
        mask = np.arange(40) < 39
        rewards = (states[:, 0] > 0).astype(np.float32)
        episodes.append(Episode(states, actions, mask, rewards, mask, np.arange(40) * SPEC.period_ns))
    config = LearningConfig(
        TrainingConfig(
            updates=20, sampler_distillation=5, distillation=0, width=16, depth=1, chunk=4, batch=32, members=2
        ),
        DecisionConfig(candidates=4, futures=4, execute=2, device="cpu"),
    )
    agent, _ = train(Dataset.from_episodes(SPEC, episodes), config)
    save_checkpoint(agent, folder / "arm.yaml", "digest", "commit")
    return folder / "arm.yaml"


@dataclass(frozen=True)
class Sent:
    """One command as it reached the robot: when (steady s), its numbers, and where the joints were last reported."""

    at: float
    topic: str
    values: np.ndarray
    reported: np.ndarray  # (3, 3): the reports of the last 30 ms, on one of which the command rests

    @property
    def degrees(self) -> float:
        """How far a joint target lies from the measured pose."""
        return float(np.degrees(np.abs(self.values - self.reported).max(axis=1).min()))


class Robot:
    """Follows its commands, reports its state with noise at 100 Hz, and can be made to report something else.

    `fault` names what is wrong with its sensors; the part that `python -m benchmarks.faults.faulty_controller` plays
    is asked for on the topic `fault`. `offset` (s) shifts the sensors' stamps; `clock_offset` also moves /clock.
    """

    def __init__(self, observer: Observer, clock: bool = False) -> None:
        self.fault = ""
        self.offset = self.clock_offset = 0.0
        self.joints, self.carriage = np.zeros(3), np.zeros(3)
        self.sent: list[Sent] = []
        self.reasons: list[tuple[float, str]] = []
        self.last_good = 0.0
        self.by_hand = False
        self._target, self._velocity = np.zeros(3), np.zeros(3)
        self._reported = np.zeros((3, 3))
        self._rng = np.random.default_rng(0)
        self._frozen_stamp = 0
        self._observer = observer
        node = observer.node
        self._states = node.create_publisher(JointState, "joint_states", 10)
        self._poses = node.create_publisher(PoseStamped, "carriage", 10)
        self._clock = node.create_publisher(ClockMessage, "/clock", 10) if clock else None
        self._asks = node.create_publisher(String, "fault", 10)
        self.began: list[float] = []
        node.create_subscription(String, "fault_began", lambda m: self.began.append(float(m.data)), 10)
        node.create_subscription(TwistStamped, "cmd_twist", self._on_twist, 100)
        node.create_subscription(JointState, "joint_target", self._on_target, 100)
        node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 100)
        node.create_timer(STATE_PERIOD, self._report, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def ask(self, what: str) -> None:
        """Tell the controller's model how to fail; empty: not at all."""
        self._asks.publish(String(data=what))

    def moving(self) -> bool:
        """Whether the newest command on the carriage's topic is one that moves it."""
        last = next((item for item in reversed(self.sent) if item.topic == "cmd_twist"), None)
        return last is not None and bool(np.any(last.values))

    def moved_since(self, since: float) -> list[Sent]:
        """The commands that move the carriage, or the joints, after `since`."""
        found, target = [], None
        for item in list(self.sent):
            if item.topic == "cmd_twist":
                moves = bool(np.any(item.values))
            else:
                moves = target is not None and bool(np.any(item.values != target))
                target = item.values
            if moves and item.at > since:
                found.append(item)
        return found

    def stopped_at(self, since: float) -> float:
        """When the first stop came after the last motion since `since`; NaN where there is none."""
        last = max((item.at for item in self.moved_since(since)), default=since)
        return next((item.at for item in list(self.sent) if item.topic == "cmd_twist" and item.at > last), float("nan"))

    def first_target(self, stopped: float) -> Sent | None:
        """The first target after the stop that is not the held one."""
        targets = [item for item in list(self.sent) if item.topic == "joint_target"]
        held = next((item.values for item in reversed(targets) if item.at <= stopped), None)
        later = (item for item in targets if item.at > stopped)
        return next((item for item in later if held is None or (item.values != held).any()), None)

    def unsafe(self) -> int:
        """How many messages on the wire were not finite, or over a limit."""
        bad = 0
        for item in list(self.sent):
            limit = 0.5 if item.topic == "cmd_twist" else 1.5
            bad += not np.isfinite(item.values).all() or bool((np.abs(item.values) > limit).any())
        return bad

    def _stamp(self) -> Time:
        now = time.time() + self.offset + self.clock_offset
        if self.fault == "header frozen":
            self._frozen_stamp = self._frozen_stamp or round(now * 1e9)
            return Time(nanoseconds=self._frozen_stamp)
        self._frozen_stamp = 0
        return Time(nanoseconds=round(now * 1e9))

    def _report(self) -> None:
        if not self.by_hand:
            self.joints += np.clip(self._target - self.joints, -0.012, 0.012)
        self.carriage = np.clip(self.carriage + self._velocity * STATE_PERIOD, -5, 5)
        noise = self._rng.normal(0, 1e-5, 3)
        self._reported = np.vstack([self._reported[1:], self.joints + noise])
        if self._clock:
            self._clock.publish(ClockMessage(clock=Time(seconds=time.time() + self.clock_offset).to_msg()))
        stamp = self._stamp().to_msg()
        state = JointState(name=list(JOINTS), position=(self.joints + noise).tolist())
        pose = PoseStamped()
        state.header.stamp = pose.header.stamp = stamp
        pose.pose.position.x, pose.pose.position.y, pose.pose.position.z = (self.carriage + noise).tolist()
        match self.fault:
            case "one joint missing":
                state.name, state.position = state.name[:2], state.position[:2]
            case "wrong joint count":
                state.position = state.position[:2]
            case "state NaN":
                state.position[1] = float("nan")
            case "state Inf":
                state.position[1] = float("inf")
            case "joints repeat":
                state.position = [0.1, 0.2, 0.3]
            case "one joint repeats":
                state.position[2] = 0.3
        if self.fault != "joint_states silent":
            self._states.publish(state)
        if self.fault != "carriage silent":
            self._poses.publish(pose)
        if not self.fault:
            self.last_good = time.monotonic()

    def _on_twist(self, message: TwistStamped) -> None:
        v = message.twist.linear
        self._velocity = np.array([v.x, v.y, v.z])
        self.sent.append(Sent(time.monotonic(), "cmd_twist", self._velocity, self._reported))

    def _on_target(self, message: JointState) -> None:
        self._target = np.array(message.position)
        self.sent.append(Sent(time.monotonic(), "joint_target", self._target, self._reported))

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            said = [status.message, *(f"{value.key}: {value.value}" for value in status.values)]
            self.reasons.append((time.monotonic(), f"{status.name}: {'; '.join(said)}"))


def push(robot: Robot, by: float = 0.3) -> None:
    """Move the arm by hand and keep it there, as somebody may while it is stopped: it is not where its target is."""
    robot.by_hand = True
    robot.joints = np.clip(robot.joints + (by if robot.joints.mean() < 0 else -by), -1.4, 1.4)


def transition(observer: Observer, *names: int, node: str = "controller") -> None:
    """Ask for transitions one after the other; raises AssertionError if one fails."""
    for name in names:
        request = ChangeState.Request(transition=Transition(id=name))
        answer = observer.call(ChangeState, f"{node}/change_state", request, timeout=60.0)
        assert answer.success, f"transition {name} of {node} failed"


def start_moving(observer: Observer, robot: Robot, node: str = "controller") -> None:
    """Configure and activate, and wait until the robot moves."""
    transition(observer, Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE, node=node)
    wait_for(robot.moving, "motion", timeout=20.0)


@contextmanager
def rig(folder: Path, clock: bool = False) -> Iterator[tuple[Processes, Observer, Robot]]:
    """A domain of its own with the robot on it."""
    folder.mkdir(parents=True, exist_ok=True)
    with ros_domain(folder) as (processes, observer):
        yield processes, observer, Robot(observer, clock)


def threads_of(pid: int) -> int:
    """Threads of a process."""
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def files_of(pid: int) -> int:
    """Open files of a process."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def memory_of(pid: int) -> float:
    """Resident memory of a process, MB."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0]) / 1024


def busy_core(stop: threading.Event) -> None:
    """Work until told to stop: what a neighbour on the other core does.

    At normal priority, also where this benchmark was started at another: it stands for work that anybody may do.
    """
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    os.setpriority(os.PRIO_PROCESS, 0, 0)
    while not stop.is_set():
        np.linalg.svd(np.ones((64, 64)))
