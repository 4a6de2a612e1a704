"""Publish topics at fixed rates, as cheaply as Python can: messages are serialized once, and only stamped anew."""

from __future__ import annotations

import argparse
import heapq
import json
import struct
import sys
import time
from typing import Any

import numpy as np
import rclpy
from geometry_msgs.msg import TwistStamped
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CompressedImage, JointState

DEPTH = 100  # what an ordinary driver keeps
STAMP = 4  # in a serialized message, the header's stamp follows the four bytes that name the encoding
JOINTS = 7
IMAGE_BYTES = 50_000
SLOW = 0.85  # of the rate, after --slow-after


def sample(kind: str) -> Any:
    """A message of an arm's joints, a command, or a compressed image's size (random bytes do not compress)."""
    if kind == "joints":
        values = np.linspace(0, 1, JOINTS).tolist()
        return JointState(name=[f"joint{i}" for i in range(JOINTS)], position=values, velocity=values, effort=values)
    if kind == "command":
        return TwistStamped()
    image = np.random.default_rng(0).integers(0, 256, IMAGE_BYTES, dtype=np.uint8)
    return CompressedImage(format="jpeg", data=image.tobytes())


class Stream:
    """One topic: `NAME:KIND:RATE` with KIND joints, command or image and RATE in Hz."""

    def __init__(self, node: Node, words: str) -> None:
        self.topic, kind, rate = words.split(":")
        self.rate = float(rate)
        message = sample(kind)
        self.publisher = node.create_publisher(type(message), self.topic, QoSProfile(depth=DEPTH))
        self.sent = 0
        self.latest = 0.0
        self._data = bytearray(serialize_message(message))

    def publish(self, late: float) -> None:
        """Send one message, stamped now; `late` (s) is how long after its time."""
        struct.pack_into("<iI", self._data, STAMP, *divmod(time.time_ns(), 10**9))
        self.publisher.publish(bytes(self._data))
        self.sent += 1
        self.latest = max(self.latest, late)


def main() -> None:
    """Wait for subscribers, say `ready`, wait for a line; publish, and say what was sent."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("streams", nargs="+", help="NAME:KIND:RATE")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--slow-after", type=float, default=float("inf"), help=f"then {SLOW:.0%} of the rates")
    args = parser.parse_args()
    rclpy.init()
    node = Node("publisher")
    streams = [Stream(node, words) for words in args.streams]
    while not all(stream.publisher.get_subscription_count() for stream in streams):
        time.sleep(0.01)
    print("ready", flush=True)
    sys.stdin.readline()
    start, began_ns = time.monotonic(), time.time_ns()
    due = [(start + 0.01 * i, i) for i in range(len(streams))]
    while due[0][0] < start + args.seconds:
        at, i = due[0]
        time.sleep(max(0.0, at - time.monotonic()))
        streams[i].publish(max(0.0, time.monotonic() - at))
        rate = streams[i].rate * (SLOW if at - start >= args.slow_after else 1.0)
        heapq.heapreplace(due, (at + 1 / rate, i))
    said = {f"/{stream.topic}": {"sent": stream.sent, "latest_ms": 1000 * stream.latest} for stream in streams}
    print(json.dumps({"began_ns": began_ns, "topics": said}), flush=True)
    sys.stdin.readline()  # stay until everything has been fetched
    node.destroy_node()
    rclpy.shutdown()


if __name__ == "__main__":
    main()
