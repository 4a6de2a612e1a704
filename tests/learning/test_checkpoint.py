"""Checkpoints: the same decisions after a round trip; altered, foreign and older ones are refused with the reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from dvf_ros.core.parsing import ConfigError
from dvf_ros.core.spec import RobotSpec
from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.checkpoint import (
    CheckpointError,
    common_name,
    halves,
    load_alike,
    load_checkpoint,
    load_training,
    read_description,
    require_place,
    save_checkpoint,
    save_training,
)
from dvf_ros.learning.config import DecisionConfig
from dvf_ros.learning.training import Training, train
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


@pytest.mark.parametrize("key", ["policy", "unsupported"])
def test_what_the_agent_has_learned_decides_on_what_it_may_be_asked(agent: DvfAgent, path: Path, key: str) -> None:
    by_actor = replace(CONFIG.decision, **{key: "actor"})
    assert load_checkpoint(path, decision=by_actor).decision == by_actor
    words = yaml.safe_load(path.read_text())
    alter(path, decision=words["decision"] | {key: "actor"})
    loaded = load_checkpoint(path)
    assert loaded.decision == by_actor
    assert len(loaded.decide(STATE, np.random.default_rng(0)).candidates) == (1 if key == "policy" else 6)


def test_an_actor_is_refused_where_none_was_learned(tmp_path: Path) -> None:
    save_checkpoint(DvfAgent(SPEC, ("a",), 10, CONFIG.training, CONFIG.decision), tmp_path / "agent.yaml", "", "")
    with pytest.raises(ConfigError, match="'policy': found actor, which this agent has not learned"):
        load_checkpoint(tmp_path / "agent.yaml", decision=replace(CONFIG.decision, policy="actor"))


def test_an_agent_that_was_trained_on_cuda_runs_where_there_is_none(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    words = yaml.safe_load(path.read_text())
    alter(path, decision=words["decision"] | {"device": "cuda"})
    loaded = load_checkpoint(path)
    assert (loaded.device.type, loaded.decision.device) == ("cpu", "auto")
    with pytest.raises(ConfigError, match="'device': expected a CUDA device for cuda, found none"):
        load_checkpoint(path, decision=replace(CONFIG.decision, device="cuda"))
    with pytest.raises(ConfigError, match="found none"):
        loaded.configure(replace(CONFIG.decision, device="cuda"))
    assert loaded.decision.device == "auto", "what is refused changes nothing"


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("runs/lift", "lift"),
        ("runs/lift.yaml", "lift"),
        ("runs/lift.safetensors", "lift"),
        ("runs/lift_0.97", "lift_0.97"),
        ("runs/lift_0.97.yaml", "lift_0.97"),
        ("runs/lift_0.97.safetensors", "lift_0.97"),
    ],
)
def test_a_name_keeps_its_dots(given: str, name: str) -> None:
    assert common_name(given) == Path("runs") / name
    assert halves(given) == (Path("runs") / f"{name}.yaml", Path("runs") / f"{name}.safetensors")


def test_checkpoints_whose_names_differ_behind_a_dot_are_two(tmp_path: Path) -> None:
    for discount in (0.97, 0.98):
        settings = replace(CONFIG.training, discount=discount, seed=round(100 * discount))
        made = DvfAgent(SPEC, ("a",), 10, settings, CONFIG.decision)
        written = save_checkpoint(made, tmp_path / f"lift_{discount}", "d", "c")
        assert written == tmp_path / f"lift_{discount}.yaml" and written.exists()
    for name in ("lift_0.97", "lift_0.97.yaml", "lift_0.97.safetensors"):
        assert load_checkpoint(tmp_path / name).training_config.discount == 0.97
        assert read_description(tmp_path / name).training.discount == 0.97
    with pytest.raises(CheckpointError, match=r"lift_0.98'.*found discount 0.98 for 0.97"):
        load_alike([tmp_path / "lift_0.97", tmp_path / "lift_0.98"], SPEC)


def test_a_training_is_written_under_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "run_0.part").write_text("another one's")
    training = Training(dataset(), CONFIG)
    training.update()
    save_training(training, tmp_path / "run_0.97")
    assert {file.name for file in tmp_path.iterdir()} == {"run_0.part", "run_0.97"}
    resumed = Training(dataset(), CONFIG)
    load_training(resumed, tmp_path / "run_0.97")
    assert resumed.updates == 1


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


def test_the_keys_in_which_another_robot_differs_are_named(path: Path) -> None:
    slower = RobotSpec.parse(SPEC.text.replace("upper: [0.5, 0.5, 0.5]", "upper: [0.3, 0.3, 0.3]"))
    found = r"action\[0\].fields\[0\].upper: trained with \[0.5, 0.5, 0.5\], here \[0.3, 0.3, 0.3\]"
    with pytest.raises(CheckpointError, match=rf"{SPEC.digest}.*{slower.digest}: {found}\. States or actions"):
        load_checkpoint(path, slower)


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


@pytest.mark.parametrize(
    ("behaviors", "horizon", "cost", "message"),
    [
        (("a", "c"), 10, 0.0, r"found behaviors a, c for a, b; train it so"),
        (("a", "b"), 11, 0.0, r"found horizon 11 for 10"),
        (("a", "b"), 10, -1.0, r"found range of the learned reward \(-1.0, 1.0\) for \(0.0, 1.0\)"),
    ],
)
def test_the_same_bags_with_other_labels_are_other_data(
    tmp_path: Path, behaviors: tuple[str, ...], horizon: int, cost: float, message: str
) -> None:
    paths = [tmp_path / "first.yaml", tmp_path / "second.yaml"]
    other = DvfAgent(SPEC, behaviors, horizon, replace(CONFIG.training, seed=1), CONFIG.decision)
    other.reward.lower.fill_(cost)
    save_checkpoint(DvfAgent(SPEC, ("a", "b"), 10, CONFIG.training, CONFIG.decision), paths[0], "bags", "")
    save_checkpoint(other, paths[1], "bags", "")
    with pytest.raises(CheckpointError, match=message):
        load_alike(paths, SPEC)


@pytest.mark.parametrize("content", ["a: [1", "\x00\x01", "robot: toy", "- 1"])
def test_a_file_that_is_no_checkpoint_is_not_written_over(tmp_path: Path, content: str) -> None:
    (tmp_path / "agent.yaml").write_text(content)
    with pytest.raises(CheckpointError, match=r"agent.yaml' is there and is no checkpoint; write to another name"):
        require_place(tmp_path / "agent")


def test_weights_that_nothing_describes_are_not_written_over(path: Path) -> None:
    require_place(path)
    path.unlink()
    with pytest.raises(CheckpointError, match=r"agent.safetensors' is there and is no checkpoint, .*'agent.yaml'"):
        require_place(path)
