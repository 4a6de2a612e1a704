"""An installation that is not whole: one line says which module is missing and how to get it."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from dvf_ros.cli import main as cli
from dvf_ros.cli import salvage

ROOT = Path(__file__).parents[2]
PLAIN = "is missing here; in a checkout: make setup, then . ./env.sh; elsewhere: pip install '.' in the folder of the s"


def without(module: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `dvf` where `module` is not installed."""
    program = f"import sys; sys.modules[{module!r}] = None; from dvf_ros.cli.main import main; sys.exit(main())"
    return subprocess.run([sys.executable, "-c", program, *words], cwd=ROOT, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("tyro", ["inspect", "bag"]),
        ("yaml", ["inspect", "bag"]),
        ("torch", ["train", "dataset", "agent"]),
    ],
)
def test_a_module_that_a_command_imports_is_named(module: str, words: list[str]) -> None:
    done = without(module, *words)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"dvf {words[0]}: the Python module '{module}' {PLAIN}")
    assert done.stderr.count("\n") == 1


def test_ray_is_in_an_extra(tmp_path: Path) -> None:
    done = without("ray", "convert", "bags", str(tmp_path), "--ray")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "the Python module 'ray' is missing" in done.stderr and "pip install '.[fleet]'" in done.stderr


def test_the_list_of_commands_needs_no_module() -> None:
    done = without("yaml", "--help")
    assert done.returncode == 0 and "convert" in done.stdout


def lacks(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    def fail(*_: object) -> None:
        raise ModuleNotFoundError(f"No module named '{module}'", name=module)

    monkeypatch.setattr(salvage, "repair_bag", fail)


def test_a_module_that_is_missing_later_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lacks(monkeypatch, "robosuite.environments")
    assert cli.main(["salvage", "bag"]) == 1
    said = capsys.readouterr().err
    assert "the Python module 'robosuite' is missing" in said and "pip install '.[sim]'" in said


def test_a_module_of_our_own_that_is_missing_is_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    lacks(monkeypatch, "dvf_ros.data.nowhere")
    with pytest.raises(ModuleNotFoundError):
        cli.main(["salvage", "bag"])


def test_every_extra_that_is_named_brings_its_module() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for module, extra in cli.EXTRAS.items():
        assert any(requirement.startswith(module) for requirement in extras[extra])
