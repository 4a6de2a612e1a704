"""The package as ROS and pip see it: interfaces, executables, launch files, and an installation without ROS."""

import ast
import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parent.parent
CMAKE = (ROOT / "CMakeLists.txt").read_text()
NODES = sorted(re.findall(r"foreach\(node ([^)]*)\)", CMAKE)[0].split())
# rosdep does not know them: requirements/ lists them, and package.xml says so.
BY_PIP = {
    *("torch", "pytorch3d", "safetensors", "robosuite", "mujoco", "mcap", "rosbags", "pyarrow", "tyro"),
    *("lerobot", "robomimic", "ray"),
}


def declared(*kinds: str) -> set[str]:
    """What package.xml declares, Python packages of the system under the names that they are imported by."""
    tags = ElementTree.parse(ROOT / "package.xml").getroot().iter()
    return {(tag.text or "").removeprefix("python3-") for tag in tags if tag.tag in kinds}


def imported(*folders: str) -> Iterator[str]:
    """The packages that are imported in these folders, our own and Python's left out."""
    ours = {"dvf_ros", "tests", "benchmarks"} | sys.stdlib_module_names
    for path in (path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        for item in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in item.names] if isinstance(item, ast.Import) else []
            names += [item.module or ""] if isinstance(item, ast.ImportFrom) and not item.level else []
            yield from {name.partition(".")[0] for name in names} - ours


@pytest.mark.parametrize("path", sorted([*ROOT.glob("msg/*.msg"), *ROOT.glob("srv/*.srv")]), ids=lambda path: path.stem)
def test_interfaces_import_and_every_field_is_explained(path: Path) -> None:
    module = importlib.import_module(f"dvf_ros.{path.suffix[1:]}")
    assert hasattr(module, path.stem)
    for line in path.read_text().splitlines():
        assert not line or line == "---" or "#" in line or re.fullmatch(r"bool success", line), line


def test_the_checkout_and_the_generated_modules_are_one_package() -> None:
    import dvf_ros.core
    import dvf_ros.msg

    assert Path(dvf_ros.core.__file__).resolve().is_relative_to(ROOT)


def test_what_is_imported_is_declared() -> None:
    run = declared("depend", "exec_depend")
    assert set(imported("dvf_ros", "launch")) - BY_PIP <= run
    assert set(imported("tests")) - BY_PIP <= run | declared("test_depend")


def test_packages_of_the_messages_that_a_spec_may_name_are_declared() -> None:
    texts = [path.read_text() for path in (ROOT / "dvf_ros" / "core" / "spec.py", *ROOT.glob("config/*.yaml"))]
    packages = {package for text in texts for package in re.findall(r"\b(\w+)/msg/\w", text)}
    assert {"tf2_msgs", "sensor_msgs"} <= packages - {"dvf_ros"} <= declared("depend", "exec_depend")


def test_ros2_lists_the_executables() -> None:
    listed = subprocess.run(["ros2", "pkg", "executables", "dvf_ros"], capture_output=True, text=True, check=True)
    assert sorted(line.split()[1] for line in listed.stdout.splitlines()) == NODES


@pytest.mark.parametrize("node", NODES)
def test_every_executable_has_its_module(node: str) -> None:
    assert importlib.util.find_spec(f"dvf_ros.nodes.{node}") is not None


@pytest.mark.parametrize("path", sorted(ROOT.glob("launch/*.launch.py")), ids=lambda path: path.name)
def test_every_launch_argument_is_described(path: Path) -> None:
    shown = subprocess.run(
        ["ros2", "launch", "dvf_ros", path.name, "--show-args"], capture_output=True, text=True, check=True
    ).stdout
    described = re.findall(r"^ {4}'(\w+)':\n {8}(.+)$", shown, re.M)
    assert described and len(described) == shown.count("':\n")
    assert not [name for name, text in described if "no description" in text.lower()]


def test_an_unknown_launch_file_is_an_error() -> None:
    result = subprocess.run(["ros2", "launch", "dvf_ros", "nothing.launch.py"], capture_output=True, text=True)
    assert result.returncode != 0
    assert "nothing.launch.py" in result.stderr


@pytest.mark.slow
def test_pip_installs_what_a_training_machine_needs(tmp_path: Path) -> None:
    # A copy, because setuptools writes into the folder that it builds.
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, files.split("\0")):
        if (ROOT / name).is_file():  # not one that is being removed
            (tmp_path / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "source" / name).write_bytes((ROOT / name).read_bytes())
    target = tmp_path / "target"
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--target", str(target), str(tmp_path / "source")], check=True)
    assert not (target / "dvf_ros" / "nodes").exists()
    assert list((target / "share" / "dvf_ros" / "config").glob("*.yaml"))
    assert (target / "bin" / "dvf").exists()
    program = f"""
import importlib, pkgutil, sys
sys.path.insert(0, {str(target)!r})

class NoRos:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("rclpy", "launch", "launch_ros", "std_msgs", "rosidl_runtime_py"):
            raise ImportError(f"{{name}} asks for ROS")

sys.meta_path.insert(0, NoRos())
import dvf_ros
assert dvf_ros.__file__.startswith({str(target)!r}), dvf_ros.__file__
for room in ("core", "data", "learning", "control", "cli"):
    for module in pkgutil.iter_modules(importlib.import_module(f"dvf_ros.{{room}}").__path__, f"dvf_ros.{{room}}."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
"""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=env, check=True)
