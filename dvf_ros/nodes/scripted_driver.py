"""A scripted behaviour at the topics of a robot: it sees what a controller sees and commands as one does."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
from rclpy.node import Node

from dvf_ros.core.alignment import Aligner, TickGrid
from dvf_ros.core.parsing import ConfigError
from dvf_ros.core.spec import FieldSlice, RobotSpec
from dvf_ros.nodes.episodes import GAP
from dvf_ros.nodes.spec_topics import CommandTopics, StateTopics
from dvf_ros.sim.observation import Command, Observation

ARM_FIELDS = ("joint_position", "joint_velocity", "finger_position", "eef_position", "eef_orientation")
ACTION_FIELDS = ("linear_velocity", "yaw_rate", "gripper_width")
SUFFIXES = ("_position", "_orientation")


class ScriptedDriver:
    """Answers every state of an episode, under the state's stamp, until the episode has had its steps.

    A state that is said again, because its command was lost, gets the same command again. Raises ConfigError where
    the spec lacks a field that scripted behaviours need.
    """

    def __init__(self, node: Node, spec: RobotSpec) -> None:
        self.heard = threading.Event()
        self._node, self._spec = node, spec
        self._state = {piece.name: piece for piece in spec.state_layout}
        self._action = {piece.name: piece for piece in spec.action_layout}
        for what, needed, known in (("state", ARM_FIELDS, self._state), ("action", ACTION_FIELDS, self._action)):
            if missing := [name for name in needed if name not in known]:
                raise ConfigError(f"scripted behaviors need the {what} fields {', '.join(missing)}; the spec has none")
        # A pose belongs to an object if its name is none of the arm's.
        names = [name.removesuffix(SUFFIXES[0]) for name in self._state if name.endswith(SUFFIXES[0])]
        self._objects = [n for n in names if n + SUFFIXES[0] not in ARM_FIELDS and n + SUFFIXES[1] in self._state]
        self._lock = threading.Lock()
        self._left = 0
        self._newest = self._floor = self._answered = -1
        self._gap = spec.period_ns + round(GAP * 1e9)
        self._aligner, self._grid = Aligner(spec.state), TickGrid(spec.period_ns, self._gap)
        self._commands = CommandTopics(node, spec)
        self._states = StateTopics(node, spec, self._observe)

    def begin(self, behavior: Callable[[Observation], Command], steps: int) -> None:
        """Answer the first `steps` states after the next reset by `behavior`; call it before the reset."""
        with self._lock:
            self._behavior, self._left = behavior, steps
            # Older states may still be on their way, and are not this episode's.
            self._floor = self._newest + self._gap

    def _observe(self, topic: str, stamp: int, values: np.ndarray) -> None:
        with self._lock:
            self.heard.set()
            self._newest = max(self._newest, stamp)
            # The first topic stands for the state: it comes once for every time the state is said.
            if stamp == self._answered and topic == self._spec.state[0].topic:
                self._commands.publish(self._last, stamp)
                return
            self._aligner.push(topic, stamp, values)
            for tick in self._grid.due(self._aligner.watermark):
                self._answer(tick)

    def _answer(self, tick: int) -> None:
        if self._left == 0 or tick < self._floor:
            return
        sample = self._aligner.sample(tick)
        if not sample.valid:
            self._node.get_logger().warning(f"state of {tick * 1e-9:.3f} s left unanswered: {sample.problem}")
            return
        command = self._behavior(self._observation(sample.values.astype(np.float64)))
        self._last = self._action_of(command)
        self._commands.publish(self._last, tick)
        self._answered = tick
        self._left -= 1

    def _observation(self, state: np.ndarray) -> Observation:
        """What a behavior sees, from the state vector (D,); what is not in it, the fingers' speed, is zero."""

        def pick(name: str) -> np.ndarray:
            return _part(state, self._state[name])

        return Observation(
            joint_names=(),
            joint_position=np.concatenate([pick("joint_position"), pick("finger_position")]),
            joint_velocity=np.concatenate([pick("joint_velocity"), np.zeros(2)]),
            eef_position=pick("eef_position"),
            eef_orientation=pick("eef_orientation"),
            objects={name: np.concatenate([pick(name + suffix) for suffix in SUFFIXES]) for name in self._objects},
            reward=0.0,
            success=False,
        )

    def _action_of(self, command: Command) -> np.ndarray:
        """The action vector (A,) of a command."""
        action = np.zeros(self._spec.action_size)
        _part(action, self._action["linear_velocity"])[:] = command.linear
        _part(action, self._action["yaw_rate"])[:] = command.angular[2]
        _part(action, self._action["gripper_width"])[:] = command.gripper_width
        return action


def _part(vector: np.ndarray, piece: FieldSlice) -> np.ndarray:
    return vector[piece.start : piece.stop]
