"""The README names what there is: every parameter, service, command and make target."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from dvf_ros.cli.main import COMMANDS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def declared() -> list[tuple[str, str]]:
    """(file, parameter) of every `declare(node, "name", …)` in the nodes."""
    found = []
    for path in sorted((ROOT / "dvf_ros" / "nodes").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "declare" and len(node.args) > 1:
                name = node.args[1]
                found.append((path.stem, name.value if isinstance(name, ast.Constant) else ast.unparse(name)))
    return found


def test_the_search_finds_parameters() -> None:
    assert ("sim_bridge", "hold_timeout") in declared() and len(declared()) > 20


@pytest.mark.parametrize(("node", "name"), declared())
def test_every_parameter_is_described(node: str, name: str) -> None:
    assert f"`{name}`" in README, f"{node} has the parameter '{name}', the README does not"


@pytest.mark.parametrize("kind", ["msg", "srv"])
def test_every_interface_is_named(kind: str) -> None:
    for path in (ROOT / kind).iterdir():
        assert f"dvf_ros/{kind}/{path.stem}" in README


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_described(name: str) -> None:
    assert f"`dvf {name}" in README


def test_every_make_target_that_the_readme_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.M))
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", README, flags=re.M))
    assert named and named <= targets
