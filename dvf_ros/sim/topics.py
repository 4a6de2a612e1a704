"""A simulation's observations and commands as the messages they are on the topics, without ROS.

The attributes are those of the ROS messages, so that the spec's field selection works on them unchanged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import SimpleNamespace

import numpy as np

from dvf_ros.core.selection import FieldSelector, write_fields
from dvf_ros.core.spec import RobotSpec
from dvf_ros.sim.observation import Array, Command, Observation


def plain_messages(observation: Observation) -> dict[str, SimpleNamespace]:
    """The messages of the state topics: `joint_states`, `eef_pose` and `objects/<name>/pose`."""
    messages = {
        "joint_states": SimpleNamespace(
            name=list(observation.joint_names),
            position=observation.joint_position,
            velocity=observation.joint_velocity,
        ),
        "eef_pose": SimpleNamespace(
            pose=_pose(np.concatenate([observation.eef_position, observation.eef_orientation]))
        ),
    }
    for name, pose in observation.objects.items():
        messages[_object_topic(name)] = SimpleNamespace(pose=_pose(pose))
    return messages


def command_messages(command: Command) -> dict[str, SimpleNamespace]:
    """The messages of the action topics: `cmd_twist` and `gripper_command`."""
    twist = SimpleNamespace(linear=_vector(command.linear), angular=_vector(command.angular))
    return {
        "cmd_twist": SimpleNamespace(twist=twist),
        "gripper_command": SimpleNamespace(name=["gripper"], position=[command.gripper_width]),
    }


def topics_of(objects: Iterable[str]) -> list[str]:
    """State and action topics of a simulation with these objects on its table."""
    return [*_state_topics(objects), *command_messages(Command())]


def missing_topics(spec: RobotSpec, objects: Iterable[str]) -> list[str]:
    """State and action topics of the spec that a simulation with these objects has not."""
    states, actions = _state_topics(objects), command_messages(Command())
    missing = [source.topic for source in spec.state if source.topic not in states]
    return missing + [source.topic for source in spec.action if source.topic not in actions]


def _state_topics(objects: Iterable[str]) -> list[str]:
    return ["joint_states", "eef_pose", *map(_object_topic, objects)]


def _object_topic(name: str) -> str:
    return f"objects/{name}/pose"


class SpecView:
    """Sees a simulation through a spec: observations as values or states, commands as actions and back."""

    def __init__(self, spec: RobotSpec) -> None:
        self._spec = spec
        self._selectors = [FieldSelector(source) for source in spec.state]
        self._action_selectors = [FieldSelector(source) for source in spec.action]

    def values(self, observation: Observation) -> Mapping[str, np.ndarray]:
        """Topic -> selected values (size of the source,); raises KeyError for a topic the simulation has not."""
        messages = plain_messages(observation)
        return {item.source.topic: item.select(messages[item.source.topic]) for item in self._selectors}

    def state(self, observation: Observation) -> np.ndarray:
        """The state (D,) float32 that the spec makes of an observation."""
        return np.concatenate(list(self.values(observation).values())).astype(np.float32)

    def action(self, command: Command) -> np.ndarray:
        """The action (A,) float32 that the spec makes of a command: the inverse of `command`."""
        messages = command_messages(command)
        return np.concatenate(
            [item.select(messages[item.source.topic]) for item in self._action_selectors], dtype=np.float32
        )

    def command(self, action: np.ndarray) -> Command:
        """The command that an action (A,) of the spec is; NaN (nothing to say) leaves the gripper open."""
        topics = command_messages(Command())
        twist = topics["cmd_twist"].twist
        start = 0
        for source in self._spec.action:
            values = action[start : start + source.size]
            start += source.size
            if np.isfinite(values).all():
                write_fields(source, values, topics[source.topic])
        linear = np.array([twist.linear.x, twist.linear.y, twist.linear.z])
        angular = np.array([twist.angular.x, twist.angular.y, twist.angular.z])
        return Command(linear, angular, topics["gripper_command"].position[0])


def _vector(xyz: Array) -> SimpleNamespace:
    return SimpleNamespace(x=float(xyz[0]), y=float(xyz[1]), z=float(xyz[2]))


def _pose(pose: Array) -> SimpleNamespace:
    x, y, z, w = (float(value) for value in pose[3:])
    return SimpleNamespace(position=_vector(pose[:3]), orientation=SimpleNamespace(x=x, y=y, z=z, w=w))
