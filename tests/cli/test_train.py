"""`dvf train` writes what it says, under the name that it was given."""

from __future__ import annotations

from pathlib import Path

import pytest

from dvf_ros.cli.main import main as dvf
from dvf_ros.learning.checkpoint import load_checkpoint
from tests.cli.test_bad_input import QUICK
from tests.data.datasets import write_dataset
from tests.learning.small import dataset


def test_the_checkpoint_lies_where_the_last_line_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, wanted = write_dataset(tmp_path / "data", dataset()), tmp_path / "runs" / "agent_0.5"
    options = [word for key, number in QUICK.items() for word in (f"--training.{key}", str(number))]
    options += ["--decision.execute", "2", "--decision.policy", "actor", "--result", str(tmp_path / "train.json")]
    assert dvf(["train", str(data), str(wanted), *options]) == 0
    said = capsys.readouterr().out.splitlines()[-1]
    assert said.endswith(f"checkpoint: {wanted}.yaml")
    assert {file.name for file in wanted.parent.iterdir()} == {"agent_0.5.yaml", "agent_0.5.safetensors"}
    assert load_checkpoint(wanted).decision.policy == "actor"
