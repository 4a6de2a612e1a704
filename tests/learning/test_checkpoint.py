"""Checkpoints: the same decisions after a round trip; altered, foreign and older ones are refused with the reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from dvf_ros.core.spec import RobotSpec
from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.checkpoint import (
    CheckpointError,
    load_alike,
    load_checkpoint,
    read_description,
    save_checkpoint,
)
from dvf_ros.learning.config import DecisionConfig
from dvf_ros.learning.training import train
from tests.learning.small import CONFIG, SPEC, dataset

STATE = np.array([0.1, 0.2, -0.3, 0, 0, 0, 1], np.float32)


@pytest.fixture(scope="module")
def agent() -> DvfAgent:
    return train(dataset(), CONFIG)[0]


@pytest.fixture
def path(agent: DvfAgent, tmp_path: Path) -> Path:
    save_checkpoint(agent, tmp_path / "agent.yaml", dataset_digest="d1", commit="c1")
    return tmp_path / "agent.yaml"


def alter(path: Path, **changes: object) -> None:
    words = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump(words | changes))


def test_a_loaded_agent_decides_the_same_to_the_bit(agent: DvfAgent, path: Path) -> None:
    loaded = load_checkpoint(path, SPEC)
    for name, value in agent.state_dict().items():
        assert torch.equal(value, loaded.state_dict()[name]), name
    first = agent.decide(STATE, np.random.default_rng(0))
    second = loaded.decide(STATE, np.random.default_rng(0))
    np.testing.assert_array_equal(first.scores, second.scores)
    np.testing.assert_array_equal(first.chunk, second.chunk)
    assert loaded.behavior_names == ("a", "b")
    assert (loaded.horizon, loaded.decision) == (agent.horizon, agent.decision)


def test_the_words_say_where_it_comes_from(path: Path) -> None:
    words = read_description(path)
    assert (words.dataset_digest, words.commit, words.spec_digest) == ("d1", "c1", SPEC.digest)
    assert {file.suffix for file in path.parent.iterdir()} == {".yaml", ".safetensors"}


def test_run_time_settings_may_be_replaced(path: Path) -> None:
    assert (
        load_checkpoint(path, decision=DecisionConfig(candidates=3, device="cpu", execute=1)).decision.candidates == 3
    )


def test_altered_numbers_are_refused_with_both_digests(path: Path) -> None:
    numbers = path.with_suffix(".safetensors")
    content = bytearray(numbers.read_bytes())
    content[-1] ^= 1
    numbers.write_bytes(content)
    expected = read_description(path).sha256
    with pytest.raises(CheckpointError, match=rf"altered: expected SHA-256 {expected}, found [0-9a-f]{{64}}"):
        load_checkpoint(path)


def test_another_robot_is_refused_with_both_digests(path: Path) -> None:
    other = RobotSpec.parse(SPEC.text.replace("rate: 20", "rate: 10"))
    with pytest.raises(CheckpointError, match=rf"{SPEC.digest}.*{other.digest}"):
        load_checkpoint(path, other)


def test_an_altered_spec_is_refused(path: Path) -> None:
    alter(path, spec=SPEC.text.replace("rate: 20", "rate: 10"))
    with pytest.raises(CheckpointError, match="altered: expected its spec's digest"):
        load_checkpoint(path)


def test_another_format_is_refused(path: Path) -> None:
    alter(path, format=99)
    with pytest.raises(CheckpointError, match="expected format 1, found 99"):
        load_checkpoint(path)


def test_an_unknown_key_is_named_with_the_nearest(path: Path) -> None:
    alter(path, horizn=3)
    with pytest.raises(CheckpointError, match="unknown key 'horizn'; did you mean 'horizon'"):
        load_checkpoint(path)


def test_weights_of_another_architecture_are_refused(path: Path) -> None:
    words = yaml.safe_load(path.read_text())
    alter(path, training=words["training"] | {"width": 32})
    with pytest.raises(CheckpointError, match=r"another version.*train anew"):
        load_checkpoint(path)


@pytest.mark.parametrize("suffix", [".yaml", ".safetensors"])
def test_a_missing_half_is_named(path: Path, suffix: str) -> None:
    path.with_suffix(suffix).unlink()
    with pytest.raises(CheckpointError, match=rf"agent\{suffix}' cannot be read"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("change", "data", "message"),
    [
        ({"seed": 1, "perturbation": 0.2}, "the data", r"trained as .* found perturbation 0.2 for 0.1; train it so"),
        ({"seed": 1}, "other data", "found data other data for the data"),
        ({}, "the data", "expected agents of different seeds, found 0, 0"),
    ],
)
def test_agents_that_are_asked_together_differ_by_the_seed_alone(
    tmp_path: Path, change: dict[str, Any], data: str, message: str
) -> None:
    paths = [tmp_path / "first.yaml", tmp_path / "second.yaml"]
    for path, settings, digest in ((paths[0], {}, "the data"), (paths[1], change, data)):
        made = DvfAgent(SPEC, ("a", "b"), 10, replace(CONFIG.training, **settings), CONFIG.decision)
        save_checkpoint(made, path, digest, commit="")
    assert len(load_alike(paths[:1], SPEC)) == 1
    with pytest.raises(CheckpointError, match=message):
        load_alike(paths, SPEC)
