"""What the launch files make of their arguments: a switch has one meaning for all, and nonsense starts nothing."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from launch import LaunchContext
from launch.actions import ExecuteLocal
from launch.launch_description_sources import get_launch_description_from_python_launch_file
from launch.utilities import visit_all_entities_and_collect_futures
from launch_ros.actions import LifecycleNode, Node

from dvf_ros.nodes.autostart import Autostart
from tests.nodes.harness import own_domain

ROOT = Path(__file__).parents[2]
LAUNCH_FILES = sorted(path.name for path in ROOT.glob("launch/*.launch.py"))
ON, OFF = ("true", "True", "1"), ("false", "False", "0")
SWITCHES = [
    *((name, "use_sim_time") for name in LAUNCH_FILES),
    *(("controller.launch.py", name) for name in ("autostart", "gate", "sim", "record", "rviz")),
    ("record.launch.py", "autostart"),
    ("sim.launch.py", "autostart"),
]
SIM = ("controller.launch.py", "sim")


class Started:
    """The nodes that a launch file would start, by executable, with their parameters; no process is."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.nodes: dict[str, dict[str, Any]] = {}
        monkeypatch.setattr(ExecuteLocal, "execute", lambda action, context: self._note(action, context))
        # Theirs ask for the node's services; whether it would be activated is noted in their place.
        monkeypatch.setattr(LifecycleNode, "execute", Node.execute)
        monkeypatch.setattr(Autostart, "execute", lambda *_: self.nodes["controller"].update(autostart=True))

    def by(self, file: str, *arguments: str) -> dict[str, dict[str, Any]]:
        self.nodes = {}
        context = LaunchContext()
        context.launch_configurations.update(dict(argument.split(":=") for argument in arguments))
        description = get_launch_description_from_python_launch_file(str(ROOT / "launch" / file))
        visit_all_entities_and_collect_futures(description, context)
        return self.nodes

    def _note(self, action: ExecuteLocal, context: LaunchContext) -> None:
        action.prepare(context)
        words = action.process_description.final_cmd
        name = Path(words[0]).name
        parameters: dict[str, Any] = {}
        for file in (words[at + 1] for at, word in enumerate(words) if word == "--params-file"):
            for node, content in yaml.load(Path(file).read_text(), yaml.FullLoader).items():  # launch writes tuples
                if node in ("/**", f"/**/{name}", f"/{name}"):
                    parameters |= content["ros__parameters"]
        if isinstance(action, LifecycleNode):
            parameters["autostart"] = False
        self.nodes[name] = parameters


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    return Started(monkeypatch)


@pytest.mark.parametrize(("file", "name"), SWITCHES)
def test_a_switch_means_the_same_however_it_is_spelt(started: Started, file: str, name: str) -> None:
    for spellings in (ON, OFF):
        first, *others = (started.by(file, f"{name}:={spelling}") for spelling in spellings)
        assert first and others == [first, first]
    for nonsense in ("yes", "2", ""):
        with pytest.raises(RuntimeError, match=f'"{name}" provided value "{nonsense}" is not valid'):
            started.by(file, f"{name}:={nonsense}")


@pytest.mark.parametrize("on", ON)
def test_a_simulation_is_the_clock_of_all_who_run_on_it(started: Started, on: str) -> None:
    nodes = started.by(SIM[0], f"sim:={on}", f"record:={on}", "episodes:=2", "speed:=2")
    assert set(nodes) == {"sim_bridge", "recorder", "command_gate", "controller", "episode_runner"}
    assert {name: node.get("use_sim_time") for name, node in nodes.items()} == {
        "sim_bridge": None,  # it makes the time
        **dict.fromkeys(("recorder", "command_gate", "controller", "episode_runner"), True),
    }
    assert nodes["controller"]["tick_on"] == "state" and nodes["controller"]["autostart"] is True
    assert [nodes[name]["speed"] for name in ("sim_bridge", "controller", "command_gate")] == [2.0, 2.0, 2.0]
    assert nodes["episode_runner"]["episodes"] == 2 and nodes["episode_runner"]["record"] is True
    assert "goal_sequence" in started.by(SIM[0], f"sim:={on}", "episodes:=2", "task:=play")
    assert "episode_runner" not in started.by(SIM[0], f"sim:={on}")


@pytest.mark.parametrize("off", OFF)
def test_a_robot_runs_by_the_wall_clock_and_its_own_pace(started: Started, off: str) -> None:
    nodes = started.by(SIM[0], f"sim:={off}", "episodes:=2", "speed:=2", f"autostart:={off}")
    assert set(nodes) == {"command_gate", "controller"}
    assert all(node["use_sim_time"] is False and node["speed"] == 1.0 for node in nodes.values())
    assert nodes["controller"]["tick_on"] == "timer" and nodes["controller"]["autostart"] is False
    assert set(started.by(SIM[0], f"gate:={off}")) == {"controller"}


def test_a_simulation_starts_paused_unless_it_is_to_start(started: Started) -> None:
    assert [started.by("sim.launch.py", f"autostart:={on}")["sim_bridge"]["paused"] for on in (*ON, *OFF)] == [
        *(False for _ in ON),
        *(True for _ in OFF),
    ]


@pytest.mark.parametrize(
    ("file", "name", "kind"),
    [
        ("controller.launch.py", "episodes", "a whole number"),
        ("controller.launch.py", "seed", "a whole number"),
        ("controller.launch.py", "speed", "a number"),
        ("collect.launch.py", "episodes", "a whole number"),
        ("collect.launch.py", "steps", "a whole number"),
        ("collect.launch.py", "seed", "a whole number"),
        ("sim.launch.py", "seed", "a whole number"),
        ("sim.launch.py", "speed", "a number"),
    ],
)
def test_what_is_no_number_is_refused_by_its_name(started: Started, file: str, name: str, kind: str) -> None:
    for nonsense in ("ten", "-1", "nan", ""):
        with pytest.raises(ValueError, match=f"^{name}: expected {kind} of at least 0, found '{nonsense}'$"):
            started.by(file, f"{name}:={nonsense}")
    assert not started.nodes


@pytest.mark.parametrize("file", LAUNCH_FILES)
def test_a_parameter_file_that_is_not_there_starts_nothing(started: Started, file: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^params_file: expected a YAML file, found nothing at '.*/nope.yaml'"):
        started.by(file, f"params_file:={tmp_path / 'nope.yaml'}")
    with pytest.raises(ValueError, match=f"^params_file: expected a YAML file, found a folder at '{tmp_path}'"):
        started.by(file, f"params_file:={tmp_path}")
    assert not started.nodes


@pytest.mark.parametrize("file", LAUNCH_FILES)
def test_a_log_level_that_ros_does_not_have_is_refused(started: Started, file: str) -> None:
    with pytest.raises(RuntimeError, match='"log_level" provided value "loud" is not valid'):
        started.by(file, "log_level:=loud")
    assert started.by(file, "log_level:=warn")


@pytest.mark.ros
@pytest.mark.slow
def test_ros2_launch_tells_why_it_starts_nothing() -> None:
    command = ["ros2", "launch", "dvf_ros", "controller.launch.py", "params_file:=nope.yaml"]
    with own_domain() as domain:
        environment = os.environ | {"ROS_DOMAIN_ID": str(domain)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    output = done.stdout + done.stderr
    assert done.returncode == 1 and "process started" not in output
    assert f"params_file: expected a YAML file, found nothing at '{Path.cwd() / 'nope.yaml'}'" in output
