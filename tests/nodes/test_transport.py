"""What a killed process cannot leave locked: the nodes that stop a robot share no memory with anybody."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest
from std_srvs.srv import Trigger

from dvf_ros.nodes.transport import without_shared_memory
from tests.nodes.harness import ros_domain, wait_for

CONFIG = Path(__file__).parents[2] / "config"
FAST_DDS = "rmw_fastrtps_cpp"


def test_udp_alone_where_the_whole_subnet_is_searched() -> None:
    for environment in ({}, {"ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET"}, {"ROS_LOCALHOST_ONLY": "0"}):
        assert without_shared_memory(environment, FAST_DDS) == {"FASTDDS_BUILTIN_TRANSPORTS": "UDPv4"}


@pytest.mark.parametrize("setting", [("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST"), ("ROS_LOCALHOST_ONLY", "1")])
def test_a_profile_where_only_this_machine_is_searched(setting: tuple[str, str]) -> None:
    variables = dict([setting]) | without_shared_memory(dict([setting]), FAST_DDS)
    assert Path(variables["FASTRTPS_DEFAULT_PROFILES_FILE"]).is_file()
    assert variables["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "SYSTEM_DEFAULT"
    assert variables.get("ROS_LOCALHOST_ONLY") != "1"


@pytest.mark.parametrize(
    "environment",
    [
        {"FASTDDS_BUILTIN_TRANSPORTS": "LARGE_DATA"},
        {"FASTRTPS_DEFAULT_PROFILES_FILE": "mine.xml"},
        {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST", "ROS_STATIC_PEERS": "192.168.0.2"},
    ],
)
def test_what_the_user_chose_stays(environment: dict[str, str]) -> None:
    assert not without_shared_memory(environment, FAST_DDS)


def test_another_middleware_is_left_alone() -> None:
    assert not without_shared_memory({"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}, "rmw_cyclonedds_cpp")


@pytest.mark.ros
@pytest.mark.parametrize("reach", ["LOCALHOST", "SUBNET"])
def test_the_gate_shares_no_memory_and_is_heard_all_the_same(
    reach: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", reach)
    spec = {"spec": CONFIG / "base_goto.yaml"}
    with ros_domain(tmp_path) as (processes, observer):
        gate = processes.start("command_gate", spec)
        recorder = processes.start("recorder", spec | {"output": tmp_path / "bags"})
        assert observer.call(Trigger, "command_gate/estop", Trigger.Request()).success
        wait_for(lambda: _shares_memory(recorder.pid), "the memory that others share")
        assert not _shares_memory(gate.pid)


def _shares_memory(pid: int) -> bool:
    return any(area.path.startswith("/dev/shm/fastrtps") for area in psutil.Process(pid).memory_maps())
