"""Datasets and checkpoints with something wrong: each command handles them and says so, or refuses them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dvf_ros.cli.main import main as dvf
from dvf_ros.core.spec import RobotSpec
from dvf_ros.data.dataset import Dataset
from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.checkpoint import load_checkpoint, save_checkpoint
from dvf_ros.learning.training import train
from tests.data.datasets import write_dataset
from tests.learning.small import CONFIG, SPEC, dataset, episode

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "resource" / "panda_lift.yaml"
QUICK = {
    "updates": 4,
    "sampler-distillation": 2,
    "distillation": 2,
    "batch": 16,
    "width": 16,
    "depth": 2,
    "members": 2,
    "chunk": 4,
}


def train_on(folder: Path, data: Dataset, *more: str) -> int:
    write_dataset(folder / "data", data)
    return train_in(folder, *more)


def train_in(folder: Path, *more: str) -> int:
    options = [*more, *(word for key, number in QUICK.items() for word in (f"--training.{key}", str(number)))]
    options += ["--decision.execute", "2", "--result", str(folder / "train.json")]
    return dvf(["train", str(folder / "data"), str(folder / "agent.yaml"), *options])


def without(data: Dataset, label: str) -> Dataset:
    return replace(data, **{label: np.zeros(data.frames, bool)})


def scarce() -> Dataset:
    """Actions in three of eight episodes, rewards in two frames of each."""
    data = Dataset.from_episodes(SPEC, [episode(seed, "ab"[seed % 2]) for seed in range(8)])
    frame, number = np.tile(np.arange(20), 8), np.repeat(np.arange(8), 20)
    return replace(data, action_mask=data.action_mask & (number < 3), reward_mask=(frame == 3) | (frame == 12))


def broken(name: str, frame: int, column: int, number: float) -> Dataset:
    data = dataset()
    array = np.array(getattr(data, name))
    array[(frame, column) if array.ndim == 2 else frame] = number
    return replace(data, **{name: array})


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: without(dataset(), "action_mask"), "expected an episode with 4 known actions in a row, found none"),
        (lambda: broken("states", 45, 1, np.nan), "found nan in the state's 'position.y', frame 5 of episode 2"),
        (lambda: broken("actions", 21, 0, np.inf), "found inf in the action's 'linear.x', frame 1 of episode 1"),
        (lambda: broken("rewards", 3, 0, np.nan), "found nan in the reward's 'reward', frame 3 of episode 0"),
        (lambda: Dataset.from_episodes(SPEC, [episode(0, "a", 1)]), "no episode has two frames"),
        (
            lambda: replace(dataset(), states=np.where([True] * 3 + [False] * 4, dataset().states, 0)),
            "'orientation': expected quaternions xyzw, found one of length zero in frame 0 of episode 0",
        ),
        (
            lambda: broken("action_mask", 39, 0, True),
            "expected no action in the last frame of an episode, for it leads to a state that was not recorded; "
            "found one in frame 19 of episode 1",
        ),
        (
            lambda: broken("reward_mask", 39, 0, True),
            "and the like in 1 episodes in all; set reward_mask to false there",
        ),
    ],
    ids=[
        "no action",
        "NaN in a state",
        "Inf in an action",
        "NaN in a reward",
        "a single frame",
        "no rotation",
        "an action after the last state",
        "a reward after the last state",
    ],
)
def test_what_cannot_be_learned_from_is_refused(
    tmp_path: Path, made: Callable[[], Dataset], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train_on(tmp_path, made()) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "agent.yaml").exists()


def test_numbers_behind_a_mask_are_nobodys_business(tmp_path: Path) -> None:
    data = broken("actions", 19, 0, np.nan)  # an episode's last frame has no action
    assert train_on(tmp_path, data) == 0


@pytest.mark.parametrize(
    ("made", "remark"),
    [
        (lambda: without(dataset(), "reward_mask"), "No reward is known"),
        (lambda: Dataset.from_episodes(SPEC, [episode(0, "a")]), "One episode only"),
        (lambda: dataset(), "These numbers never move: orientation.x, orientation.y"),
        (lambda: scarce(), "Actions are known in 57 of 152 frames, in 3 of 8 episodes."),
        (lambda: scarce(), "Rewards are known in 16 of 152 frames, in 8 of 8 episodes."),
    ],
    ids=["no reward", "one episode", "constant dimensions", "few actions", "few rewards"],
)
def test_what_is_unusual_is_learned_from_and_said(
    tmp_path: Path, made: Callable[[], Dataset], remark: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train_on(tmp_path, made()) == 0
    assert remark in " ".join(capsys.readouterr().out.split())
    agent = load_checkpoint(tmp_path / "agent.yaml")
    value, error = agent.value(made().states[0], np.random.default_rng(0))
    assert np.isfinite([value, error]).all()


def test_actions_are_filled_in_where_few_were_recorded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    beside = ("--training.occupancy", "bootstrapped", "--training.representation", "context")
    assert train_on(tmp_path, scarce(), "--training.label-actions", *beside) == 0
    assert "inverse dynamics: labelled 95 frames; in episodes held out it explains" in capsys.readouterr().out
    history = json.loads((tmp_path / "train.json").read_text())["figures"]["history"]
    assert history[0]["inverse_dynamics/frames"] == 95
    agent = load_checkpoint(tmp_path / "agent.yaml")
    assert agent.training_config.label_actions
    assert agent.decide(scarce().states[0], np.random.default_rng(0)).chunk.shape == (4, 3)


def test_relative_positions_are_refused_where_there_is_one_position(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train_on(tmp_path, dataset(), "--training.relative-positions") == 1
    assert "expected two positions in the state at least" in capsys.readouterr().err
    assert not (tmp_path / "agent.yaml").exists()


def test_a_spec_that_was_edited_after_the_conversion_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_dataset(tmp_path / "data", dataset())
    spec = tmp_path / "data" / "spec.yaml"
    spec.write_text(
        spec.read_text().replace("      - {name: orientation, kind: quaternion, path: pose.orientation}\n", "")
    )
    RobotSpec.load(spec)
    assert train_in(tmp_path) == 1
    said = capsys.readouterr().err
    assert "expected states of 3 numbers (spec.yaml), found (7,) (states.npy)" in said and "convert anew" in said


def test_evaluation_refuses_what_it_cannot_simulate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_checkpoint(train(dataset(), CONFIG)[0], tmp_path / "agent.yaml", "", "")
    assert dvf(["evaluate", str(tmp_path / "agent.yaml")]) == 1
    said = capsys.readouterr().err
    assert "found the task 'small'" in said and "lift" in said and "dvf report" in said


SPHERE = ("objects/cube/pose", "objects/sphere/pose")
THIRTY = ("rate: 20.0", "rate: 30")
NO_SPHERE = "expected the topics joint_states, eef_pose, objects/cube/pose, cmd_twist, gripper_command, found objects/s"
NO_DIVISOR = "rate: expected a divisor of 500 Hz, the physics rate, found 30; 20, 25, 50 and 100 are some"


@pytest.mark.parametrize(
    ("name", "changed", "message"),
    [
        ("base_goto", (), "expected one of the tasks lift, play, found the task 'goto'\n"),
        ("panda_stack", (), "expected one of the tasks lift, play, found the task 'stack', which has no object 'cube'"),
        ("panda_play", SPHERE, NO_SPHERE),
        ("panda_play", THIRTY, NO_DIVISOR),
    ],
    ids=["task", "no cube", "object", "rate"],
)
def test_play_refuses_what_it_cannot_simulate(
    tmp_path: Path, name: str, changed: tuple[str, str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    spec, text = tmp_path / "spec.yaml", (ROOT / "config" / f"{name}.yaml").read_text()
    spec.write_text(text.replace(*changed) if changed else text)
    counts = ["--calm", "1", "--brisk", "0", "--steps", "1"]
    assert dvf(["play", str(tmp_path / "data"), "--spec", str(spec), *counts]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"dvf play: '{spec}' cannot be played in simulation: ") and message in said
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(("changed", "message"), [(SPHERE, NO_SPHERE), (THIRTY, NO_DIVISOR)], ids=["object", "rate"])
def test_evaluation_refuses_a_spec_that_does_not_fit_its_task(
    tmp_path: Path, changed: tuple[str, str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = RobotSpec.parse((ROOT / "config" / "panda_lift.yaml").read_text().replace(*changed))
    save_checkpoint(DvfAgent(spec, ("a",), 10, CONFIG.training, CONFIG.decision), tmp_path / "agent.yaml", "", "")
    options = ["--episodes", "1", "--steps", "1", "--result", str(tmp_path / "evaluate.json")]
    assert dvf(["evaluate", str(tmp_path / "agent.yaml"), *options]) == 1
    said = capsys.readouterr().err
    assert "cannot be judged in simulation: " in said and message in said and "dvf report" in said


def test_evaluation_refuses_an_altered_checkpoint_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for suffix in (".yaml", ".safetensors"):
        shutil.copy(SHIPPED.with_suffix(suffix), tmp_path / f"agent{suffix}")
    with open(tmp_path / "agent.safetensors", "ab") as numbers:
        numbers.write(b"\0")
    assert dvf(["evaluate", str(tmp_path / "agent.yaml")]) == 1
    assert "was altered: expected SHA-256" in capsys.readouterr().err
    assert dvf(["evaluate", str(tmp_path / "nowhere.yaml")]) == 1
    assert "cannot be read" in capsys.readouterr().err
