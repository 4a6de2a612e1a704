"""What the simulation says on topics: the states of a robot, as its drivers would publish them."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any

import numpy as np
from geometry_msgs.msg import Point, Pose, PoseStamped, Quaternion
from rclpy.node import Node
from rclpy.time import Time
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from dvf_ros.core.parsing import ConfigError, nearest
from dvf_ros.core.path_check import check_paths
from dvf_ros.core.selection import FieldSelector, SelectionError, write_fields
from dvf_ros.core.spec import RobotSpec, Source
from dvf_ros.msg import Outcome
from dvf_ros.nodes.markers import arm_markers
from dvf_ros.nodes.message_types import fields_of, message_class
from dvf_ros.nodes.sim_commands import COMMANDS, CommandReader

if TYPE_CHECKING:
    from dvf_ros.sim.observation import Observation

DEPTH = 10


class SimTopics:
    """Publishers of a simulated robot's state; `objects` are the names of what lies on its table."""

    def __init__(self, node: Node, spec: RobotSpec, objects: tuple[str, ...], clock: bool) -> None:
        self._spec = spec
        types: dict[str, Any] = {"joint_states": JointState, "eef_pose": PoseStamped}
        types |= {object_topic(name): PoseStamped for name in objects} | {"outcome": Outcome}
        check_spec(spec, {topic: _type_name(kind) for topic, kind in types.items()})
        self._publishers = {topic: node.create_publisher(kind, topic, DEPTH) for topic, kind in types.items()}
        self._arm = node.create_publisher(MarkerArray, "~/arm", 1)
        # Time is one for all robots of a simulation, so its topic is absolute, as every node expects it.
        self._clock = node.create_publisher(Clock, "/clock", DEPTH) if clock else None

    def publish(self, stamp: int, observation: Observation, arrived: bool) -> None:
        """Publish a state under its stamp (ns); the outcome too if a step led to it: a reward is one on arrival."""
        time = Time(nanoseconds=stamp).to_msg()
        for topic, message in self.messages(Header(stamp=time, frame_id=self._spec.frame), observation).items():
            if arrived or topic != "outcome":
                self._publishers[topic].publish(message)
        if self._arm.get_subscription_count():
            self._arm.publish(arm_markers(Header(stamp=time, frame_id=self._spec.frame), observation.links))
        if self._clock:
            self._clock.publish(Clock(clock=time))

    def messages(self, header: Header, observation: Observation) -> dict[str, Any]:
        """The messages of one state, by topic."""
        joints = JointState(
            header=header,
            name=list(observation.joint_names),
            position=array("d", observation.joint_position.tolist()),
            velocity=array("d", observation.joint_velocity.tolist()),
        )
        outcome = Outcome(
            header=header,
            reward=observation.reward,
            success=observation.success,
            terminated=observation.terminated,
        )
        eef = _pose(header, observation.eef_position, observation.eef_orientation)
        objects = {object_topic(name): _pose(header, pose[:3], pose[3:]) for name, pose in observation.objects.items()}
        return {"joint_states": joints, "eef_pose": eef, **objects, "outcome": outcome}

    def check_fields(self, observation: Observation) -> None:
        """Raise ConfigError if a field of the spec, a joint say, is in none of the simulation's messages."""
        messages = self.messages(Header(), observation)
        reader = CommandReader(self._spec.frame)
        try:
            for source in _said(self._spec):
                FieldSelector(source).select(messages[source.topic])
            for source in self._spec.action:
                command = message_class(source.type)()
                write_fields(source, np.zeros(source.size), command)
                reader.read(source.topic, command)
        except SelectionError as error:
            raise ConfigError(f"the robot spec does not fit this simulation: {error}") from error


def object_topic(name: str) -> str:
    """The topic of an object's pose."""
    return f"objects/{name}/pose"


def check_spec(spec: RobotSpec, said: dict[str, str]) -> None:
    """Check that the simulation says and takes every topic of the spec, in that type.

    `said`: topic -> type. Raises ConfigError naming the nearest topic, or the other type.
    """
    check_paths(spec, fields_of)
    taken = {topic: source.type for topic, source in COMMANDS.items()}
    for what, sources, known in (("publishes", _said(spec), said), ("takes", spec.action, taken)):
        for source in sources:
            if source.topic not in known:
                hint = nearest(source.topic, known)
                raise ConfigError(f"the simulation of '{spec.task}' {what} no topic '{source.topic}'; {hint}")
            if source.type != known[source.topic]:
                found = known[source.topic]
                raise ConfigError(
                    f"topic '{source.topic}': the robot spec says {source.type}, the simulation {what} {found}"
                )
    for topic in taken:
        if topic not in {source.topic for source in spec.action}:
            raise ConfigError(
                f"the simulation waits for '{topic}', which is not among the spec's action topics; add it"
            )


def _said(spec: RobotSpec) -> tuple[Source, ...]:
    return (*spec.state, spec.outcome) if spec.outcome else spec.state


def _type_name(kind: Any) -> str:
    package, _, _ = kind.__module__.partition(".msg")
    return f"{package}/msg/{kind.__name__}"


def _pose(header: Header, position: np.ndarray, orientation: np.ndarray) -> PoseStamped:
    x, y, z = position.tolist()
    qx, qy, qz, qw = orientation.tolist()
    return PoseStamped(
        header=header, pose=Pose(position=Point(x=x, y=y, z=z), orientation=Quaternion(x=qx, y=qy, z=qz, w=qw))
    )
