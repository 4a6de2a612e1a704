"""Numbers that cannot be meant are refused in a line that says what was expected and found, before anything is read."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from dvf_ros.cli.main import main as dvf
from dvf_ros.cli.value import Value
from dvf_ros.core.parsing import ConfigError
from dvf_ros.learning.config import DecisionConfig


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("train d c --training.seed -1", "'seed': expected at least 0, found -1"),
        ("train d c --training.weight-decay -1", "'weight_decay': expected at least 0, and finite, found -1.0"),
        ("train d c --training.weight-decay nan", "'weight_decay': expected at least 0, and finite, found nan"),
        ("train d c --training.learning-rate inf", "'learning_rate': expected above 0, and finite, found inf"),
        ("train d c --training.batch 0", "'batch': expected at least 1, found 0"),
        ("train d c --decision.futures 0", "'futures': expected an even number of at least 4"),
        ("train d c --decision.pessimism inf", "'pessimism': expected at least 0, and finite, found inf"),
        ("value c d --seed -1", "'seed': expected at least 0, found -1"),
        ("value c d --starts 0", "'starts': expected at least 1, found 0"),
        ("value c d --futures 3", "'futures': expected an even number of at least 4"),
        ("value c d --hop -1", "'hop': expected at least 0, found -1"),
        ("report c d --frames 0", "'frames': expected at least 1, found 0"),
        ("report c d --seed -1", "'seed': expected at least 0, found -1"),
        ("evaluate c --episodes 0", "'episodes': expected at least 1, found 0"),
        ("evaluate c --steps 0", "'steps': expected at least 1, found 0"),
        ("evaluate c --processes 0", "'processes': expected at least 1, found 0"),
        ("evaluate c --first-seed -1", "'first_seed': expected at least 0, found -1"),
        ("play d --calm -1", "'calm': expected at least 0, found -1"),
        ("play d --steps 0", "'steps': expected at least 1, found 0"),
        ("play d --processes 0", "'processes': expected at least 1, found 0"),
        ("convert b d --jobs 0", "'jobs': expected at least 1, found 0"),
        ("convert b d --length nan", "'length': expected at least 0, and finite, found nan"),
        ("reproduce --evaluation-episodes 0", "'evaluation_episodes': expected at least 1, found 0"),
    ],
)
def test_a_number_that_cannot_be_meant_is_refused(
    words: str, message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as ended:
        dvf(words.split())
    said = capsys.readouterr().err
    assert ended.value.code == 2 and message in said and "Traceback" not in said


def test_a_device_that_is_not_there_is_refused_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert dvf(["train", str(tmp_path), str(tmp_path / "agent"), "--decision.device", "cuda"]) == 1
    said = capsys.readouterr().err
    assert said == "dvf train: 'device': expected a CUDA device for cuda, found none; set cpu or auto\n"


def test_what_is_not_given_is_no_number() -> None:
    assert Value(Path("c"), Path("d")).hop is None
    with pytest.raises(ConfigError, match="'candidates': expected at least 1, found 0"):
        DecisionConfig(candidates=0)
