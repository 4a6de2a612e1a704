"""Who may know whom: checked in the source, and by importing each room in a process of its own."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "dvf_ros"

MAY_IMPORT = {
    "core": set(),
    "data": {"core"},
    "control": {"core"},
    "sim": {"core"},
    "learning": {"core", "data"},
    "nodes": {"core", "data", "control", "learning", "sim", "msg", "srv"},
    "cli": {"core", "data", "control", "learning", "sim"},
}
ONLY_IN = {
    "rclpy": {"nodes"},
    "torch": {"learning", "cli"},
    "robosuite": {"sim"},
    "mujoco": {"sim"},
}
# Importing the room must not pull these in: torch and robosuite take seconds, and ROS may not be there at all.
NEVER_LOADED = {
    "core": {"rclpy", "torch", "robosuite", "mujoco", "pyarrow"},
    "data": {"rclpy", "torch", "robosuite", "mujoco"},
    "control": {"rclpy", "torch", "robosuite", "mujoco"},
    "sim": {"rclpy", "torch", "robosuite"},
    "learning": {"rclpy", "robosuite", "mujoco"},
    "cli": {"rclpy", "robosuite"},
}


def modules(room: str) -> list[Path]:
    return sorted((PACKAGE / room).rglob("*.py"))


def imports(path: Path) -> list[tuple[str, bool]]:
    """Every imported module of a file, and whether it is imported at the top (not inside a function or for types)."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = []

    def visit(node: ast.AST, top: bool) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                found.extend((alias.name, top) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                found.append((child.module or "", top))
            inner = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            typing_only = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test)
            visit(child, top and not inner and not typing_only)

    visit(tree, True)
    return found


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_the_rooms_it_may_know(room: str) -> None:
    assert modules(room), f"the room '{room}' is empty"
    for path in modules(room):
        for name, _ in imports(path):
            if name.startswith("dvf_ros."):
                other = name.split(".")[1]
                assert other == room or other in MAY_IMPORT[room], f"{path.relative_to(ROOT)} imports {name}"


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_heavy_libraries_stay_in_their_rooms(room: str) -> None:
    for path in modules(room):
        for name, _ in imports(path):
            library = name.split(".")[0]
            assert room in ONLY_IN.get(library, {room}), f"{path.relative_to(ROOT)} imports {name}"


def test_nodes_reach_for_the_model_or_the_simulation_only_inside_functions() -> None:
    for path in modules("nodes"):
        for name, top in imports(path):
            heavy = name.startswith("dvf_ros.learning") or name == "dvf_ros.sim.robosuite_sim"
            assert not (heavy and top), f"{path.relative_to(ROOT)} imports {name} at its top"


@pytest.mark.parametrize("room", NEVER_LOADED)
def test_importing_a_room_loads_nothing_it_should_not(room: str) -> None:
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in modules(room)]
    if room == "cli":
        names = ["dvf_ros.cli.main"]  # the door; each command loads what it needs
    loaded = f"print(*(set({sorted(NEVER_LOADED[room])!r}) & sys.modules.keys()))"
    code = f"import sys\nfor name in {names!r}: __import__(name)\n{loaded}"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "", f"importing {room} loads {done.stdout}"
