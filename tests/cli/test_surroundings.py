"""What the command line makes of disks, places and people: one line, and nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from dvf_ros.cli import main as cli
from dvf_ros.cli import train as train_command
from tests.cli.test_bad_input import train_in, train_on
from tests.data.datasets import write_dataset
from tests.learning.small import SPEC, dataset


def no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_command, "train", lambda *_, **__: pytest.fail("trained before it looked"))


def test_a_spec_is_not_taken_for_a_place_for_a_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    no_training(monkeypatch)
    (tmp_path / "agent.yaml").write_text(SPEC.text)
    assert train_on(tmp_path, dataset()) == 1
    assert "is there and is no checkpoint" in capsys.readouterr().err
    assert (tmp_path / "agent.yaml").read_text() == SPEC.text


@pytest.mark.parametrize(
    ("name", "content"), [("agent.yaml", b"{a: [b, c"), ("agent.yaml", b"\xff\x00"), ("agent.safetensors", b"weights")]
)
def test_what_is_there_and_is_no_checkpoint_stays_as_it_is(
    name: str, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    no_training(monkeypatch)
    (tmp_path / name).write_bytes(content)
    assert train_on(tmp_path, dataset()) == 1
    assert f"{name}' is there and is no checkpoint" in capsys.readouterr().err
    assert (tmp_path / name).read_bytes() == content


@pytest.mark.parametrize("name", ["agent.yaml", "agent.safetensors"])
def test_a_folder_is_no_place_for_a_checkpoint(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    no_training(monkeypatch)
    (tmp_path / name).mkdir()
    assert train_on(tmp_path, dataset()) == 1
    assert f"{name}': expected a file's name, found a folder" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_told_before_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    no_training(monkeypatch)
    write_dataset(tmp_path / "data", dataset())
    (tmp_path / "file").touch()
    assert cli.main(["train", str(tmp_path / "data"), str(tmp_path / "file" / "agent.yaml")]) == 1
    said = capsys.readouterr().err
    assert said.startswith("dvf train: ") and "file" in said and said.count("\n") == 1


def test_where_a_page_or_figures_cannot_go_is_told_before_they_are_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_dataset(tmp_path / "data", dataset())
    words = ("report", "no checkpoint", str(tmp_path / "data"), "--output", str(tmp_path))
    told = f"dvf report: '{tmp_path}': expected a file's name, found a folder\n"
    assert (cli.main(words), capsys.readouterr().err) == (1, told)
    words = ("evaluate", "resource/panda_lift.yaml", "--result", str(tmp_path / "data"))
    told = f"dvf evaluate: '{tmp_path / 'data'}': expected a file's name, found a folder\n"
    assert (cli.main(words), capsys.readouterr().err) == (1, told)


def test_figures_of_a_training_that_cannot_go_anywhere_are_told_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    no_training(monkeypatch)
    write_dataset(tmp_path / "data", dataset())
    words = ("train", str(tmp_path / "data"), str(tmp_path / "agent.yaml"), "--result", str(tmp_path))
    assert cli.main(words) == 1
    assert "found a folder" in capsys.readouterr().err
    assert not list(tmp_path.glob("*.part"))


def test_training_again_replaces_the_checkpoint_and_leaves_nothing_else(tmp_path: Path) -> None:
    assert train_on(tmp_path, dataset()) == 0
    first = (tmp_path / "agent.yaml").read_text()
    assert train_in(tmp_path, "--training.seed", "1") == 0
    assert (tmp_path / "agent.yaml").read_text() != first
    assert not list(tmp_path.glob("*.part"))


def test_a_training_that_diverges_says_so_and_writes_over_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train_on(tmp_path, dataset()) == 0
    first = (tmp_path / "agent.safetensors").read_bytes()
    assert train_in(tmp_path, "--training.learning-rate", "1e30") == 1
    said = capsys.readouterr().err
    assert "has diverged" in said and "lower training.learning_rate, which is 1e+30" in said
    assert (tmp_path / "agent.safetensors").read_bytes() == first


@pytest.mark.parametrize(
    ("raised", "status", "said"),
    [
        (KeyboardInterrupt(), 130, "dvf train: interrupted\n"),
        (PermissionError(13, "Permission denied", "there"), 1, "dvf train: 'there': Permission denied\n"),
        (OSError(28, "No space left on device"), 1, "dvf train: No space left on device\n"),
    ],
)
def test_what_ends_a_command_from_outside_is_one_line(
    raised: BaseException,
    status: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def end(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.setattr(train_command, "train", end)
    assert train_on(tmp_path, dataset()) == status
    assert capsys.readouterr().err == said
