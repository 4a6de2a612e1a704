"""The recorder as a process: whole bags however it ends, and what it records equals what a live node computed."""

from __future__ import annotations

import json
import resource
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import Point, PoseStamped
from mcap.reader import make_reader
from rclpy.qos import QoSProfile
from std_msgs.msg import String

from dvf_ros.core.alignment import Aligner
from dvf_ros.core.selection import FieldSelector
from dvf_ros.data.bag_reader import BagReader
from dvf_ros.data.conversion import convert
from dvf_ros.data.dataset import Dataset
from dvf_ros.srv import EndEpisode, StartEpisode
from tests.data.bag_making import JOINTS, SPEC
from tests.nodes.harness import Observer, Processes, ros_domain, wait_for
from tests.nodes.recorded_robot import LATCHED, RELIABLE, SENSOR, TYPES, Robot, counts, end, received_on, start

pytestmark = pytest.mark.ros


@pytest.fixture(scope="module")
def ros(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Processes, Observer, Path]]:
    logs = tmp_path_factory.mktemp("recorder")
    spec = logs / "joints.yaml"
    spec.write_text(JOINTS)
    with ros_domain(logs) as (processes, observer):
        yield processes, observer, spec


@pytest.fixture
def robot(ros: tuple[Processes, Observer, Path]) -> Iterator[Robot]:
    made = Robot(ros[1])
    yield made
    made.destroy(ros[1])


def test_episodes_by_service(ros: tuple[Processes, Observer, Path], robot: Robot, tmp_path: Path) -> None:
    processes, observer, spec = ros
    bags = tmp_path / "bags"
    process = processes.start("recorder", {"spec": spec, "output": bags}, "episodes")
    robot.wait()
    # Before an episode nothing is recorded.
    robot.step(0)
    assert not end(observer).success

    started = start(observer, "one", "expert")
    assert started.success and started.path == str(bags / "one"), started.message
    again = start(observer, "two")
    assert not again.success and "one' is being recorded; end it first" in again.message
    for k in range(200):
        robot.step(k)
    ended = end(observer, "success")
    assert ended.success and ended.messages == 800, ended.message
    assert counts(bags / "one") == {f"/{topic}": 200 for topic in TYPES}
    with BagReader(bags / "one") as bag:
        assert bag.custom | {"spec": ""} == {
            "name": "one",
            "behavior": "expert",
            "outcome": "success",
            "namespace": "",
            "spec": "",
            "spec_digest": SPEC.digest,
            "lost": "{}",
            "problems": "",
        }
        assert bag.custom["spec"] == JOINTS

    assert start(observer, "two").success
    robot.step(0)
    thrown = end(observer, discard=True)
    assert thrown.success and thrown.messages == 4
    assert [folder.name for folder in bags.iterdir()] == ["one"]

    for name, said in (
        ("one", "exists already"),
        ("../up", "expected the name of a folder"),
        (".x", "expected the name"),
    ):
        refused = start(observer, name)
        assert not refused.success and said in refused.message
    unnamed = start(observer)
    assert unnamed.success and Path(unnamed.path).parent == bags
    assert end(observer).messages == 0
    assert processes.end(process) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_mid_episode_closes_the_bag(
    ros: tuple[Processes, Observer, Path], robot: Robot, tmp_path: Path, number: signal.Signals
) -> None:
    processes, observer, spec = ros
    process = processes.start("recorder", {"spec": spec, "output": tmp_path, "flush_period": 1.0}, number.name)
    robot.wait()
    assert start(observer, "cut", "expert").success
    for k in range(150):
        robot.step(k)
    # At once: what has been published is on its way or waits in the recorder.
    assert processes.end(process, number) == 0, processes.log(number.name)
    assert counts(tmp_path / "cut") == {f"/{topic}": 150 for topic in TYPES}
    with BagReader(tmp_path / "cut") as bag:
        assert (bag.custom["behavior"], bag.custom["outcome"]) == ("expert", "")


def test_bag_and_live_node_give_the_same_bits(
    ros: tuple[Processes, Observer, Path], robot: Robot, tmp_path: Path
) -> None:
    processes, observer, spec = ros
    aligner = Aligner(SPEC.state)
    received: list[str] = []

    def listen(source: Any) -> None:
        selector = FieldSelector(source)

        def take(message: Any) -> None:
            aligner.push(source.topic, selector.stamp(message, 0), selector.select(message))
            received.append(source.topic)

        observer.node.create_subscription(TYPES[source.topic], source.topic, take, RELIABLE)

    for source in SPEC.state:
        listen(source)
    process = processes.start("recorder", {"spec": spec, "output": tmp_path / "bags"}, "parity")
    for publisher in robot.publishers.values():
        expected = 2 if publisher.topic_name in ("/joint_states", "/tip") else 1
        wait_for(lambda p=publisher, n=expected: p.get_subscription_count() >= n, "all subscriptions")
    assert start(observer, "live").success
    for k in range(300):
        robot.step(k)
    wait_for(lambda: len(received) == 600, "all messages live")
    assert end(observer).messages == 1200
    convert([tmp_path / "bags"], tmp_path / "data", jobs=1)
    data = Dataset.open(tmp_path / "data")
    assert data.frames > 250
    live = np.stack([aligner.sample(int(stamp)).values for stamp in data.stamps])
    assert live.tobytes() == np.ascontiguousarray(data.states).tobytes()
    assert processes.end(process) == 0


def test_best_effort_latched_and_late_publishers_are_heard(
    ros: tuple[Processes, Observer, Path], tmp_path: Path
) -> None:
    processes, observer, spec = ros
    latched = observer.node.create_publisher(String, "description", LATCHED)
    latched.publish(String(data="a robot"))
    parameters = {"spec": spec, "output": tmp_path, "autostart": True, "extra_topics": "[description]"}
    process = processes.start("recorder", parameters, "adapts")
    wait_for(lambda: latched.get_subscription_count() > 0, "the subscription to the latched topic")
    late = Robot(observer, SENSOR)
    late.wait()
    for k in range(50):
        late.step(k)
        time.sleep(0.001)  # best effort: a burst may overrun the socket
    ended = end(observer)
    assert ended.success
    found = counts(Path(ended.path))
    assert found.pop("/description") == 1
    assert found == {f"/{topic}": 50 for topic in TYPES}
    with open(next(Path(ended.path).glob("*.mcap")), "rb") as stream:
        summary = make_reader(stream).get_summary()
    assert summary is not None
    offered = {c.topic: c.metadata["offered_qos_profiles"] for c in summary.channels.values()}
    assert "best_effort" in offered["/tip"] and "transient_local" in offered["/description"]
    again = start(observer, "again")
    assert again.success and end(observer).messages == 1, "what is published once and for all is in every bag"
    assert counts(Path(again.path)) == {"/description": 1}
    assert processes.end(process) == 0
    late.destroy(observer)
    observer.node.destroy_publisher(latched)


def test_another_type_on_a_topic_is_told_and_not_recorded(
    ros: tuple[Processes, Observer, Path], tmp_path: Path
) -> None:
    processes, observer, spec = ros
    # One DDS participant cannot have two types on a topic: the wrong publisher is a process of its own, so to speak.
    stranger = Observer(processes.domain)
    stranger.node.create_publisher(Point, "tip", RELIABLE)
    diagnostics = observer.collect(DiagnosticArray, "/diagnostics")
    process = processes.start("recorder", {"spec": spec, "output": tmp_path}, "types")
    said = "topic '/tip': expected geometry_msgs/msg/PoseStamped, found a publisher of geometry_msgs/msg/Point"

    def reported() -> bool:
        return any(said in status.message for array in list(diagnostics) for status in array.status)

    wait_for(reported, "the type error on /diagnostics")
    refused = start(observer, "x")
    assert not refused.success and said in refused.message
    assert said in processes.log("types")
    stranger.close()
    wait_for(lambda: start(observer, "y").success, "a start once the wrong publisher is gone")
    assert end(observer).success
    assert processes.end(process) == 0


def test_a_namespace_holds_a_robot(ros: tuple[Processes, Observer, Path], tmp_path: Path) -> None:
    processes, observer, spec = ros
    process = processes.start("recorder", {"spec": spec, "output": tmp_path}, "space", namespace="/left")
    publisher = observer.node.create_publisher(PoseStamped, "/left/tip", RELIABLE)
    wait_for(lambda: publisher.get_subscription_count() > 0, "a subscription in the namespace")
    assert observer.call(StartEpisode, "/left/recorder/start", StartEpisode.Request(name="bag")).success
    publisher.publish(PoseStamped())
    assert observer.call(EndEpisode, "/left/recorder/end", EndEpisode.Request()).messages == 1
    assert counts(tmp_path / "bag") == {"/left/tip": 1}
    with BagReader(tmp_path / "bag") as bag:
        assert bag.custom["namespace"] == "/left"
    assert processes.end(process) == 0
    observer.node.destroy_publisher(publisher)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"spec": "/nope.yaml"}, "robot spec '/nope.yaml' cannot be read"),
        ({"flush_period": 9.0}, "flush_period"),
    ],
)
def test_a_bad_start_is_told_in_a_line(
    ros: tuple[Processes, Observer, Path], parameters: dict[str, Any], said: str
) -> None:
    processes, _, spec = ros
    name = f"bad_{next(iter(parameters))}"
    process = processes.start("recorder", {"spec": spec, "output": "/tmp"} | parameters, name)
    assert process.wait(30) == 1
    log = processes.log(name)
    assert said in log and "Traceback" not in log


def test_a_bag_that_cannot_be_written_is_never_a_success(
    ros: tuple[Processes, Observer, Path], robot: Robot, tmp_path: Path
) -> None:
    processes, observer, spec = ros
    (tmp_path / "file").write_text("no folder")
    process = processes.start("recorder", {"spec": spec, "output": tmp_path / "file"}, "disk")
    robot.wait()
    refused = start(observer, "x")
    assert not refused.success and "cannot be written" in refused.message
    assert processes.end(process) == 0


def test_a_disk_that_gets_full_stops_the_recording_and_is_never_a_success(
    ros: tuple[Processes, Observer, Path], robot: Robot, tmp_path: Path
) -> None:
    processes, observer, spec = ros
    process = processes.start("recorder", {"spec": spec, "output": tmp_path, "flush_period": 0.05}, "full")
    robot.wait()
    diagnostics = observer.collect(DiagnosticArray, "/diagnostics")
    assert start(observer, "full").success
    file = tmp_path / "full" / "full_0.mcap"
    # Not a full disk, but the same to the recorder: the file may grow by so much and no more.
    limit = file.stat().st_size + 20_000
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (limit, limit))

    def stopped() -> bool:
        robot.step(robot.sent)
        return any("cannot be written" in status.message for array in list(diagnostics) for status in array.status)

    wait_for(stopped, "the error on /diagnostics")
    assert not start(observer, "again").success
    ended = end(observer)
    assert not ended.success and "cannot be written: File too large" in ended.message
    assert processes.end(process) == 0
    with BagReader(tmp_path / "full") as bag:
        read = sum(1 for _ in bag.messages(bag.types))
    assert 0 < read < 4 * robot.sent


def test_what_a_recorder_that_was_held_up_did_not_get_is_counted_to_the_message(
    ros: tuple[Processes, Observer, Path], tmp_path: Path
) -> None:
    processes, observer, spec = ros
    sender = Robot(observer, QoSProfile(depth=10))
    process = processes.start("recorder", {"spec": spec, "output": tmp_path}, "held")
    sender.wait()
    diagnostics = observer.collect(DiagnosticArray, "/diagnostics")
    assert start(observer, "held").success
    sender.step(0)
    wait_for(lambda: received_on(diagnostics, "/cmd") == 1, "the first message")
    process.send_signal(signal.SIGSTOP)
    for k in range(1500):  # more than the recorder's queue holds, and far more than the publisher's
        sender.step(k)
    process.send_signal(signal.SIGCONT)
    # The end is told by a message that follows what was lost.
    arrived = received_on(diagnostics, "/cmd")
    wait_for(lambda: received_on(diagnostics, "/cmd") > arrived, "what waited")
    sender.step(1501)
    assert end(observer).success
    found = counts(tmp_path / "held")
    with BagReader(tmp_path / "held") as bag:
        lost = {topic: sum(causes.values()) for topic, causes in json.loads(bag.custom["lost"]).items()}
    assert lost and {topic: found[topic] + lost.get(topic, 0) for topic in found} == dict.fromkeys(found, sender.sent)
    assert processes.end(process) == 0
    sender.destroy(observer)
