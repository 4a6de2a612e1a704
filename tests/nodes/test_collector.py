"""Collection and judged runs as processes: bags through the topics, resumed, and figures written."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from std_srvs.srv import SetBool

from dvf_ros.data.bag_reader import BagReader
from dvf_ros.msg import ControllerStatus
from tests.nodes.harness import Observer, Processes, own_domain, ros_domain
from tests.nodes.simulated_arm import PERIOD, SimulatedArm, stamp_of

pytestmark = pytest.mark.ros

SPEC = Path(__file__).parents[2] / "config" / "panda_lift.yaml"
STEPS = 30


@pytest.fixture(scope="module")
def ros(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Processes, Observer]]:
    """A simulation in lockstep, and a domain for what uses it."""
    with ros_domain(tmp_path_factory.mktemp("collector")) as (processes, observer):
        processes.start("sim_bridge", {"spec": SPEC, "mode": "lockstep"})
        yield processes, observer


def test_one_bag_an_episode_resumed_where_it_was_cut_off(ros: tuple[Processes, Observer], tmp_path: Path) -> None:
    processes, _ = ros
    bags, result = tmp_path / "bags", tmp_path / "collect.json"
    recorder = processes.start("recorder", {"spec": SPEC, "output": bags})
    parameters = {"spec": SPEC, "output": bags, "result": result, "steps": STEPS, "episodes": 3}
    parameters["behaviors"] = "[expert, novice]"
    assert processes.start("collector", parameters).wait(60) == 0, processes.log("collector")

    names = ["0000_expert", "0001_novice", "0002_expert"]
    assert sorted(folder.name for folder in bags.iterdir()) == names
    for name in names:
        with BagReader(bags / name) as bag:
            assert bag.custom["behavior"] == name[5:] and bag.custom["outcome"] in ("success", "failure")
            stamps: dict[str, list[int]] = {}
            for topic, _, message in bag.messages(list(bag.types)):
                stamps.setdefault(topic, []).append(stamp_of_bag(message))
        first = min(min(values) for values in stamps.values())
        ticks = [first + PERIOD * k for k in range(STEPS + 1)]
        for topic in ("/joint_states", "/eef_pose", "/objects/cube/pose"):
            assert sorted(set(stamps[topic])) == ticks, "the episode whole, and nothing of the one before"
        for topic in ("/cmd_twist", "/gripper_command"):
            assert sorted(set(stamps[topic])) == ticks[:-1], "each command under the stamp of its state"
        assert sorted(set(stamps["/outcome"])) == ticks[1:]
    figures = json.loads(result.read_text())["figures"]
    assert figures["episodes"] == figures["collected_now"] == 3 and figures["times_real_time"] > 0

    (bags / names[1] / "metadata.yaml").unlink()  # as a recording that was cut off
    (storage,) = (bags / names[1]).glob("*.mcap")
    os.truncate(storage, storage.stat().st_size // 2)
    kept = (bags / names[0] / "metadata.yaml").stat().st_mtime_ns
    shutil.rmtree(bags / names[2])
    assert processes.start("collector", parameters, name="again").wait(60) == 0, processes.log("again")
    assert json.loads(result.read_text())["figures"]["collected_now"] == 2
    assert json.loads(result.read_text())["figures"]["episodes"] == 3
    assert (bags / names[0] / "metadata.yaml").stat().st_mtime_ns == kept
    assert processes.end(recorder) == 0


def test_a_judged_run_counts_and_fails_below_the_bar(ros: tuple[Processes, Observer], tmp_path: Path) -> None:
    processes, observer = ros
    arm = SimulatedArm(observer)
    result = tmp_path / "demo.json"
    parameters = {"spec": SPEC, "episodes": 2, "steps": STEPS, "seed": 5, "result": result, "stall_timeout": 30.0}
    # The simulation is up and goes on, whoever paused it before: only the controller is missing.
    assert observer.call(SetBool, "sim_bridge/pause", SetBool.Request(data=False), timeout=60.0).success
    alone = processes.start("episode_runner", parameters | {"start_timeout": 10.0}, name="alone")
    assert alone.wait(60) == 1
    assert "expected an active controller on 'controller/status' within 10 s" in processes.log("alone")

    runner = processes.start("episode_runner", parameters)
    publisher = observer.node.create_publisher(ControllerStatus, "controller/status", 1)
    status = ControllerStatus(state=ControllerStatus.RUNNING, decisions=60, deadline_misses=2)
    status.latency_p50_ms, status.latency_p99_ms = 4.0, 9.0
    timer = observer.node.create_timer(0.1, lambda: publisher.publish(status))
    over = threading.Event()

    def stand_still() -> None:
        """A controller that answers each state and never lifts anything."""
        while not over.wait(0.005):
            if arm.said["joint_states"]:
                arm.command(stamp_of(arm.said["joint_states"][-1]))

    controller = threading.Thread(target=stand_still)
    controller.start()
    try:
        assert runner.wait(60) == 1, "no episode succeeded"
    finally:
        over.set()
        controller.join()
        observer.node.destroy_timer(timer)
    log = processes.log("episode_runner")
    assert "episode 2/2 seed 6: no success, final success no" in log
    assert "the bar does not hold: success_rate 0, wanted >= 0.9" in log
    record = json.loads(result.read_text())
    assert record["seeds"] == [5, 6] and record["bars"][0]["holds"] is False
    figures = record["figures"]
    assert (figures["episodes"], figures["success_rate"], figures["success_low"]) == (2, 0.0, 0.0)
    assert (figures["decisions"], figures["deadline_misses"], figures["tick_p50_ms"]) == (60, 2, 4.0)
    assert 0.6 < figures["success_high"] < 0.7


def test_the_launch_ends_with_the_collection_and_leaves_nothing(tmp_path: Path) -> None:
    words = [
        "ros2",
        "launch",
        "dvf_ros",
        "collect.launch.py",
        "episodes:=1",
        "steps:=5",
        f"output:={tmp_path / 'bags'}",
    ]
    words += [f"result:={tmp_path / 'collect.json'}", "namespace:=left"]
    with own_domain() as domain:
        environment = os.environ | {"ROS_DOMAIN_ID": str(domain), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
        for extra, status in (([], 0), (["behaviors:=[expret]"], 1)):
            launch = subprocess.Popen(
                [*words, *extra],
                env=environment,
                start_new_session=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            text, _ = launch.communicate(timeout=90)
            assert launch.returncode == status, text.decode()
            with pytest.raises(ProcessLookupError):
                os.killpg(launch.pid, signal.SIGKILL)
    assert "did you mean 'expert'" in text.decode()
    assert (tmp_path / "bags" / "0000_expert").is_dir()


def stamp_of_bag(message: object) -> int:
    stamp = message.header.stamp  # type: ignore[attr-defined]
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)
