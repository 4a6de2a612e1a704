"""Raw subscriptions that adapt to whoever publishes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from rclpy.topic_endpoint_info import TopicEndpointInfo

from dvf_ros.data.bag_writer import Qos
from dvf_ros.nodes.definitions import definition_of
from dvf_ros.nodes.losses import TransportLoss
from dvf_ros.nodes.message_types import message_class
from dvf_ros.nodes.recording import RecordedTopic

DEPTH = 1000


class Tap:
    """Listens to one topic without decoding; `follow` adapts type and QoS to the publishers that are there.

    `type_name` is the spec's, or empty to take what the first publisher has. `problem` says why a publisher on this
    topic is not heard, for people; empty if all are. `received` counts messages, and `lost` those that never came.
    """

    def __init__(
        self, node: Node, topic: str, type_name: str, receive: Callable[[RecordedTopic, bytes, Mapping[str, Any]], None]
    ) -> None:
        self.name = node.resolve_topic_name(topic)
        self.problem = ""
        self.received = 0
        self._loss = TransportLoss()
        self._node = node
        self._receive = receive
        self._type = type_name
        self._topic: RecordedTopic | None = None
        self._subscription: Subscription | None = None
        self.follow()

    def follow(self) -> None:
        """Look at the publishers, and subscribe anew if they need another QoS; call this a few times per second."""
        publishers = self._look()
        kind = self._type or (publishers[0].topic_type if publishers else "")
        others = sorted({info.topic_type for info in publishers} - {kind})
        problem = f"topic '{self.name}': expected {kind}, found a publisher of {', '.join(others)}" if others else ""
        offers = [info for info in publishers if info.topic_type == kind]
        if kind and (offers or not self._subscription):
            try:
                self._adapt(kind, offers)
            except KeyError as error:
                problem = f"topic '{self.name}': expected a type that is installed, found {kind}: {error.args[0]}"
        self._tell(problem)

    @property
    def lost(self) -> int:
        """Messages that were published and did not come, as far as the middleware tells."""
        return self._loss.count

    def _look(self) -> list[TopicEndpointInfo]:
        publishers = list(self._node.get_publishers_info_by_topic(self.name))
        self._loss.follow([tuple(info.endpoint_gid) for info in publishers], time.time_ns())
        return publishers

    def _adapt(self, kind: str, offers: list[TopicEndpointInfo]) -> None:
        """Hear these publishers; raises KeyError saying what of their type is not installed."""
        qos = _fitting([info.qos_profile for info in offers])
        type_hash = str(offers[0].topic_type_hash) if offers else ""
        before = self._topic
        if before and (before.qos, before.type_hash) == (qos, type_hash):
            return
        topic = RecordedTopic(self.name, kind, definition_of(kind), qos, type_hash)
        if before is None or before.qos != qos:
            self._subscribe(kind, qos)
        self._type, self._topic = kind, topic

    def _tell(self, problem: str) -> None:
        if problem and problem != self.problem:
            self._node.get_logger().error(f"{problem}; it is not recorded")
        self.problem = problem

    def _subscribe(self, kind: str, qos: Qos) -> None:
        message = message_class(kind)
        if self._subscription:
            self._node.destroy_subscription(self._subscription)
        # rclpy's own callback would warn of the very publishers that `follow` adapts to.
        events = SubscriptionEventCallbacks(message_lost=self._count_lost, use_default_callbacks=False)
        profile = QoSProfile(
            history=HistoryPolicy.KEEP_LAST,
            depth=DEPTH,
            reliability=ReliabilityPolicy[qos.reliability.upper()],
            durability=DurabilityPolicy[qos.durability.upper()],
        )
        self._subscription = self._node.create_subscription(
            message, self.name, self._take, profile, raw=True, event_callbacks=events
        )

    def _take(self, data: bytes, info: Mapping[str, Any]) -> None:
        self.received += 1
        self._loss.take(info["publication_sequence_number"], info["received_timestamp"], self._look)
        assert self._topic is not None
        self._receive(self._topic, data, info)

    def _count_lost(self, event: Any) -> None:
        self._loss.event(event.total_count_change)


def _fitting(offers: list[QoSProfile]) -> Qos:
    """The strongest QoS that hears every publisher."""
    reliable = all(offer.reliability != ReliabilityPolicy.BEST_EFFORT for offer in offers)
    latched = bool(offers) and all(offer.durability == DurabilityPolicy.TRANSIENT_LOCAL for offer in offers)
    return Qos("reliable" if reliable else "best_effort", "transient_local" if latched else "volatile", DEPTH)
