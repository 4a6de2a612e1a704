"""A recording that is open before simulated time begins: what is latched is in it all the same, at a time that is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from mcap.reader import make_reader
from rosgraph_msgs.msg import Clock
from std_msgs.msg import String

from dvf_ros.data.bag_reader import read_custom
from tests.data.bag_making import JOINTS
from tests.nodes.harness import ros_domain, wait_for
from tests.nodes.recorded_robot import LATCHED, TYPES, Robot, end, received_on, start

pytestmark = pytest.mark.ros

BEGIN = 100 * 10**9  # ns


def times(bag: Path) -> dict[str, list[int]]:
    """When (ns) messages were received, by topic and in the order in which they were written."""
    found: dict[str, list[int]] = {}
    with open(next(bag.glob("*.mcap")), "rb") as stream:
        for _, channel, message in make_reader(stream).iter_messages(log_time_order=False):
            found.setdefault(channel.topic, []).append(message.log_time)
    return found


@pytest.mark.parametrize("moves", [False, True], ids=["at_rest", "moving"])
@pytest.mark.parametrize("autostart", [False, True], ids=["by_service", "autostart"])
def test_what_is_latched_waits_for_the_first_time(tmp_path: Path, autostart: bool, moves: bool) -> None:
    (tmp_path / "joints.yaml").write_text(JOINTS)
    parameters = {"spec": tmp_path / "joints.yaml", "output": tmp_path / "bags", "autostart": autostart}
    with ros_domain(tmp_path) as (processes, observer):
        diagnostics = observer.collect(DiagnosticArray, "/diagnostics")
        latched = observer.node.create_publisher(String, "description", LATCHED)
        latched.publish(String(data="a robot"))
        clock = observer.node.create_publisher(Clock, "/clock", 10)
        robot = Robot(observer)
        processes.start("recorder", parameters | {"extra_topics": "[description]", "use_sim_time": True})
        wait_for(lambda: received_on(diagnostics, "/description"), "what is latched")
        if not autostart:
            assert start(observer).success
        robot.wait()
        robot.step(0)  # before time begins: it is counted, and not recorded
        wait_for(lambda: received_on(diagnostics, "/cmd"), "a message before time begins")
        wait_for(clock.get_subscription_count, "the recorder's clock")
        now = Clock()
        now.clock.sec = BEGIN // 10**9
        clock.publish(now)

        def begun() -> bool:
            """The recorder tells the rate of a topic by its clock: 1 message in 100 s."""
            return any(
                value.key == "/cmd" and ", 0.0" in value.value
                for array in list(diagnostics)[-2:]
                for status in array.status
                for value in status.values
            )

        wait_for(begun, "time at the recorder")
        if moves:
            robot.step(1)
        bag = Path(end(observer).path)
    found = times(bag)
    assert found.pop("/description") == [BEGIN]
    assert found == ({f"/{topic}": [BEGIN] for topic in TYPES} if moves else {})
    early = {f"/{topic}": {"before_clock": 1} for topic in TYPES}
    assert json.loads(read_custom(bag)["lost"]) == early
