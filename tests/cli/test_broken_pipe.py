"""Whoever reads what a command says may leave, as `head` does: the work goes on and is kept."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.data.datasets import write_dataset
from tests.learning.small import dataset


def dvf_unread(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run `dvf` with nobody at the other end of its standard output."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        return subprocess.run(
            [sys.executable, "-m", "dvf_ros.cli", *words], stdout=writer, stderr=subprocess.PIPE, text=True, timeout=100
        )
    finally:
        os.close(writer)


@pytest.mark.parametrize("words", [("--help",), ("spec", "--help"), ("nonsense",)])
def test_help_that_nobody_reads_is_no_traceback(words: tuple[str, ...]) -> None:
    assert "Traceback" not in dvf_unread(*words).stderr


def test_a_training_that_nobody_listens_to_leaves_its_checkpoint(tmp_path: Path) -> None:
    write_dataset(tmp_path / "data", dataset())
    short = [f"--training.{name}" for name in ("updates", "sampler-distillation", "distillation")]
    settings = [word for name in short for word in (name, "2")]
    done = dvf_unread(
        "train", tmp_path / "data", tmp_path / "agent.yaml", *settings, "--result", tmp_path / "train.json"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "agent.yaml").exists() and (tmp_path / "train.json").exists()
