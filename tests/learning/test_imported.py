"""Training does not care where a dataset comes from: LeRobot, robomimic or bags."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dvf_ros.cli.main import main as dvf
from dvf_ros.data.dataset import Dataset
from dvf_ros.learning.checkpoint import load_checkpoint
from dvf_ros.learning.training import train
from tests.data.datasets import write_dataset
from tests.data.test_lerobot import write_foreign as write_lerobot
from tests.data.test_robomimic import write_foreign as write_robomimic
from tests.learning.small import CONFIG, dataset

TINY = replace(CONFIG, training=replace(CONFIG.training, updates=5))


@pytest.mark.parametrize("format", ["lerobot", "robomimic"])
def test_what_went_out_and_came_back_trains_to_the_same_bits(
    tmp_path: Path, format: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_dataset(tmp_path / "data", dataset())
    out, back = tmp_path / "out.hdf5", tmp_path / "back"
    assert dvf(["export", str(source), str(out), "--format", format]) == 0
    assert dvf(["import", str(out), str(back)]) == 0
    assert "8 episodes, 160 frames, 7 state and 3 action numbers at 20 Hz" in capsys.readouterr().out.replace("\n", " ")
    first, history = train(Dataset.open(source), TINY)
    second, same = train(Dataset.open(back), TINY)
    assert history == same
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name]), name


@pytest.mark.parametrize(
    "write",
    [
        lambda folder: write_lerobot(folder / "so100", (8, 9)),
        lambda folder: write_robomimic(folder / "lift.hdf5", True),
    ],
    ids=["lerobot", "robomimic"],
)
def test_data_that_never_saw_ros_trains_as_it_is(
    tmp_path: Path, write: Callable[[Path], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    source = write(tmp_path)
    assert dvf(["import", str(source), str(tmp_path / "data")]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "actions known in 100% of the steps, rewards in 100%" in said
    assert ("the last reward of 2 episodes" in said) == (source.name == "so100"), "robomimic's next_obs has the state"
    settings = [
        "--training.updates",
        "5",
        "--training.distillation",
        "2",
        "--training.batch",
        "16",
        "--training.width",
        "16",
        "--training.depth",
        "2",
    ]
    settings += ["--training.chunk", "3", "--decision.execute", "2", "--result", str(tmp_path / "train.json")]
    assert dvf(["train", str(tmp_path / "data"), str(tmp_path / "agent.yaml"), *settings]) == 0
    agent = load_checkpoint(tmp_path / "agent.yaml")
    imported = Dataset.open(tmp_path / "data")
    assert agent.spec.digest == imported.spec.digest
    assert agent.behavior_names == imported.behavior_names
    decision = agent.decide(np.array(imported.states[0]), np.random.default_rng(0))
    assert np.isfinite(decision.chunk).all() and np.isfinite(decision.scores).all()
