"""A spec's topics on the wire: subscribe to its state, publish its action."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.time import Time

from dvf_ros.core.selection import FieldSelector, SelectionError, write_fields
from dvf_ros.core.spec import RobotSpec, Source
from dvf_ros.nodes.clocks import at_most_every
from dvf_ros.nodes.command_check import check_command
from dvf_ros.nodes.message_types import message_class

SENSOR_QOS = QoSProfile(depth=10, history=HistoryPolicy.KEEP_LAST, reliability=ReliabilityPolicy.BEST_EFFORT)
# What never changes was published once, before this node was there.
STATIC_QOS = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
COMMAND_QOS = QoSProfile(depth=1, history=HistoryPolicy.KEEP_LAST, reliability=ReliabilityPolicy.RELIABLE)
LATCHED_QOS = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
# What a publisher said last, mostly a stop, is lost with it unless the robot has taken it.
LAST_WORD = Duration(seconds=1.0)
"""How long a publisher that ends waits for its reliable subscribers to acknowledge its last command."""
LINGER = 0.05
"""s that it stays for those that acknowledge nothing."""


class StateTopics:
    """Subscriptions to all state topics of a spec; each message's fields go to `observe(key, stamp, values)`.

    A message that does not hold what the spec says, or whose frame_id is another than the source's first (that of
    joints does not matter), is logged (throttled) and dropped; `refuse(topic, reason)` hears. `frames` are those first
    frame_ids, by the sources' keys. Who commands gives the `frame` of its commands: positions in another one cannot
    bound them, and are dropped as well.
    """

    def __init__(
        self,
        node: Node,
        spec: RobotSpec,
        observe: Callable[[str, int, np.ndarray], None],
        refuse: Callable[[str, str], None] = lambda topic, reason: None,
        frame: str = "",
    ) -> None:
        self._frame, self._bounding = frame, bounding_positions(spec) if frame else frozenset()
        self.frames: dict[str, str] = {}
        self._node = node
        self._observe = observe
        self._refuse = refuse
        self._subscriptions = []
        for source in spec.state:
            selector = FieldSelector(source)
            for topic, qos in ((source.topic, SENSOR_QOS), (source.static_topic, STATIC_QOS)):
                if topic:
                    receive = self._callback(source, selector, topic)
                    kind = message_class(source.type)
                    self._subscriptions.append(node.create_subscription(kind, topic, receive, qos))

    def destroy(self) -> None:
        """Take the subscriptions down."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)

    def _callback(
        self, source: Source, selector: FieldSelector, topic: str
    ) -> Callable[[Any, Mapping[str, Any]], None]:
        def receive(message: Any, info: Mapping[str, Any]) -> None:
            now = self._node.get_clock().now().nanoseconds
            try:
                for part in selector.parts(message, topic):
                    stamp, values = selector.stamp(part, now, info["source_timestamp"]), selector.select(part)
                    if stamp < 0:  # rclpy's Time knows none, and a command carries its state's
                        raise SelectionError(f"topic '{source.topic}': expected a stamp since 1970, found {stamp} ns")
                    if hasattr(part, "header"):
                        self._check_frame(source, part.header.frame_id)
                    self._observe(source.key, stamp, values)
            except SelectionError as error:
                self._refuse(source.key, str(error))
                self._node.get_logger().error(f"message dropped: {error}", **at_most_every(1.0))

        return receive

    def _check_frame(self, source: Source, frame: str) -> None:
        bounding = [item.name for item in source.fields if item.name in self._bounding]
        if bounding and frame not in ("", self._frame):
            raise SelectionError(
                f"topic '{source.topic}': expected frame '{self._frame}', that of the commands, which {bounding[0]} "
                f"bounds; found '{frame}'"
            )
        # Positions in another frame are other numbers for the same place, and nothing in them would tell. Joints have
        # none, whatever their drivers write there.
        first = self.frames.setdefault(source.key, frame)
        if frame != first and not all(item.joints for item in source.fields):
            raise SelectionError(f"topic '{source.topic}': expected frame '{first}', as at first, found '{frame}'")


def bounding_positions(spec: RobotSpec) -> frozenset[str]:
    """The state's places that bound how commands may move them."""
    names = {item.moves for source in spec.action for item in source.fields}
    names |= {spec.workspace.position} if spec.workspace else set()
    places = {item.name for source in spec.state for item in source.fields if item.kind == "vector"}
    return frozenset(names & places)


def state_frame(spec: RobotSpec, frames: Mapping[str, str]) -> str:
    """The frame of the first of the state's sources that has one, in the spec's order; empty if none has.

    `frames` are those that the sources have, by their keys. The spec's own frame is that of the commands.
    """
    return next((frames[source.key] for source in spec.state if frames.get(source.key)), "")


class CommandTopic:
    """Publisher of one action topic; `frame` is the frame_id of its messages.

    Raises ConfigError where its messages cannot say whatever may have to be said.
    """

    def __init__(self, node: Node, source: Source, frame: str) -> None:
        check_command(source)
        self.source = source
        self._node = node
        self._frame = frame
        self._type = message_class(source.type)
        self._publisher = node.create_publisher(self._type, source.topic, COMMAND_QOS)

    def publish(self, values: np.ndarray, stamp: int) -> None:
        """Publish `values` (size of the source,) under `stamp` (ns), or nothing where a number is not finite."""
        if not np.isfinite(values).all():
            return
        message = self._type()
        if hasattr(message, "header"):
            message.header.stamp = Time(nanoseconds=stamp).to_msg()
            message.header.frame_id = self._frame
        write_fields(self.source, values, message)
        self._publisher.publish(message)

    @property
    def listeners(self) -> int:
        """How many subscriptions the publisher has found."""
        return int(self._publisher.get_subscription_count())

    def destroy(self) -> None:
        """Take the publisher down once its last command was heard; warns where it was not acknowledged in time."""
        if not self._publisher.wait_for_all_acked(LAST_WORD):
            self._node.get_logger().warning(f"nobody is known to have heard the last command on '{self.source.topic}'")
        time.sleep(LINGER)
        self._node.destroy_publisher(self._publisher)


class CommandTopics:
    """Publishers of all action topics of a spec."""

    def __init__(self, node: Node, spec: RobotSpec) -> None:
        self._topics = [CommandTopic(node, source, spec.frame) for source in spec.action]
        self._sizes = [source.size for source in spec.action]

    @property
    def unheard(self) -> list[str]:
        """The topics that nobody listens to."""
        return [topic.source.topic for topic in self._topics if not topic.listeners]

    @property
    def unheard_numbers(self) -> np.ndarray:
        """(A,) bool: the numbers of an action that nobody listens to."""
        return np.repeat([not topic.listeners for topic in self._topics], self._sizes)

    def publish(self, action: np.ndarray, stamp: int) -> None:
        """Publish `action` (A,) under `stamp` (ns); a topic of which a number is not finite is left out."""
        start = 0
        for topic in self._topics:
            topic.publish(action[start : start + topic.source.size], stamp)
            start += topic.source.size

    def destroy(self) -> None:
        """Take the publishers down once their last commands were heard."""
        for topic in self._topics:
            topic.destroy()
