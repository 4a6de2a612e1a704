"""A topic that slows down is told of on /diagnostics within a second, by a recorder in a process of its own."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import JointState

from dvf_ros.srv import StartEpisode
from tests.nodes.harness import ros_domain, wait_for

pytestmark = pytest.mark.ros

SPEC = """
robot: joints
task: move
rate: 20.0
state:
  - topic: joint_states
    type: sensor_msgs/msg/JointState
    fields:
      - {name: position, kind: array, path: position, size: 1}
action: []
"""
RATE, SLOWER = 100.0, 85.0  # Hz
LEARNED = re.compile(r" of (99|100|101)\.\d Hz")
WARNING = "'/joint_states' is below 90 % of its"


def test_a_topic_that_falls_below_90_percent_of_its_rate_is_told_within_a_second(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(SPEC)
    learned, warned = [], []  # steady s

    def listen(message: DiagnosticArray) -> None:
        for status in message.status:
            if any(LEARNED.search(pair.value) for pair in status.values):
                learned.append(time.monotonic())
            if WARNING in status.message:
                warned.append(time.monotonic())

    with ros_domain(tmp_path) as (processes, observer):
        processes.start("recorder", {"spec": tmp_path / "spec.yaml", "output": tmp_path / "bags"})
        observer.node.create_subscription(DiagnosticArray, "/diagnostics", listen, 100)
        publisher = observer.node.create_publisher(JointState, "joint_states", 100)
        wait_for(publisher.get_subscription_count, "the recorder's subscription")
        assert observer.call(StartEpisode, "recorder/start", StartEpisode.Request()).success

        def publish(rate: float, seen: list[float], seconds: float) -> float:
            """Publish until something is seen; how late (s) a message was at worst, by a machine that is busy."""
            began = due = time.monotonic()
            late = 0.0
            while not seen and due < began + seconds:
                time.sleep(max(0.0, due - time.monotonic()))
                late = max(late, time.monotonic() - due)
                publisher.publish(JointState(position=[0.0]))
                due += 1.0 / rate
            return late

        publish(RATE, learned, 30.0)
        assert learned and not warned
        fell = time.monotonic()
        late = publish(SLOWER, warned, 5.0)
        assert warned and warned[0] - fell < 1.0 + late
