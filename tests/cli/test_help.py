"""Every command explains itself: no option of any has only its default beside it."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest

from dvf_ros.cli.main import COMMANDS
from dvf_ros.cli.main import main as dvf
from dvf_ros.learning.config import DecisionConfig, TrainingConfig

ENTRY = re.compile(r"  (--?\w.*?|[A-Z]{2,}( .*?)??)(  +(?P<said>.*))?$")  # an option, or what an argument is called
DEFAULT = re.compile(r"\((default: .*|required|repeatable)\)$")


@pytest.fixture(autouse=True)
def one_column(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")


def explained(command: str, capsys: pytest.CaptureFixture[str]) -> list[tuple[str, str]]:
    """Each option and argument with what the command's help says of it, without its default."""
    with pytest.raises(SystemExit) as ended:
        dvf([command, "--help"])
    assert ended.value.code == 0
    found: list[list[str]] = []
    inside = False
    for line in capsys.readouterr().out.replace("│", " ").splitlines():
        if met := ENTRY.match(line.rstrip()):
            found.append([met[1], met["said"] or ""])
            inside = True
        elif inside and line.startswith("   "):
            found[-1].append(line)
        else:
            inside = False
    return [(name, DEFAULT.sub("", " ".join(" ".join(said).split())).strip()) for name, *said in found]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_explained(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = explained(command, capsys)
    assert len(said) > 1
    assert [name for name, words in said if not words] == []


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("play", ["DATASET"]),
        ("import", ["SOURCE", "DATASET"]),
        ("export", ["DATASET", "TARGET"]),
        ("train", ["DATASET", "CHECKPOINT"]),
        ("evaluate", ["CHECKPOINT [CHECKPOINT ...]"]),
        ("value", ["CHECKPOINT", "DATASET"]),
        ("report", ["CHECKPOINT", "DATASET"]),
    ],
)
def test_arguments_are_called_what_they_are(
    command: str, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        dvf([command, "--help"])
    said, _, _ = capsys.readouterr().out.partition("-h, --help")
    usage = said.splitlines()[0].replace("[OPTIONS] ", "")
    assert f"{usage} ".startswith(f"usage: dvf {command} [-h] {' '.join(arguments)} ")
    assert said.count("(required)") == len(arguments) and "(default" not in said


def test_settings_of_training_and_deciding_say_unit_and_range(capsys: pytest.CaptureFixture[str]) -> None:
    said = dict(explained("train", capsys))
    for group, settings in (("training", TrainingConfig), ("decision", DecisionConfig)):
        assert sum(name.startswith(f"--{group}.") for name in said) == len(fields(settings))
    for name, words in (
        ("--training.chunk INT", "in ticks; 1 or more"),
        ("--training.discount FLOAT", "above 0 and below 1"),
        ("--training.representation {index,context}", "read off motion"),
        ("--decision.futures INT", "an even number, 4 or more"),
        ("--decision.pessimism FLOAT", "in standard deviations"),
    ):
        assert words in said[name]
