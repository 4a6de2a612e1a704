"""A trained agent on disk: `<name>.safetensors` with all numbers, `<name>.yaml` with all words. Never a pickle.

The YAML holds the format's version, the SHA-256 of the safetensors, the spec's text and digest, the configuration,
the behaviors, the horizon, the dataset's digest and the commit. Normalisation lies among the numbers, as buffers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from textwrap import shorten

import yaml
from safetensors.torch import load, save

from dvf_ros.core.parsing import ConfigError, parse
from dvf_ros.core.spec import RobotSpec
from dvf_ros.core.spec_differences import differences
from dvf_ros.core.writing import part_of, require_writable
from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.config import DecisionConfig, LearningConfig, TrainingConfig
from dvf_ros.learning.training import Training

FORMAT = 1
SUFFIXES = (".yaml", ".safetensors")


class CheckpointError(ValueError):
    """A checkpoint is missing, altered, of another format or of another robot."""


@dataclass(frozen=True)
class Description:
    """The YAML half of a checkpoint."""

    format: int
    sha256: str
    spec: str
    spec_digest: str
    training: TrainingConfig
    decision: DecisionConfig
    behavior_names: tuple[str, ...]
    horizon: int
    dataset_digest: str
    commit: str


def common_name(path: str | Path) -> Path:
    """A checkpoint's path without `.yaml` or `.safetensors`; any other dot belongs to its name, as in lift_0.97."""
    path = Path(path)
    return path.with_suffix("") if path.suffix in SUFFIXES else path


def halves(path: str | Path) -> tuple[Path, Path]:
    """The files with the words and with the numbers of a checkpoint, by the path of either or by their common name."""
    name = common_name(path)
    words, numbers = (name.with_name(name.name + suffix) for suffix in SUFFIXES)
    return words, numbers


def save_checkpoint(agent: DvfAgent, path: str | Path, dataset_digest: str, commit: str) -> Path:
    """Write an agent to `path` (`.yaml`) and the numbers beside it (`.safetensors`); returns the former's path."""
    words_path, numbers_path = halves(path)
    numbers = save({name: value.cpu().contiguous() for name, value in agent.state_dict().items()})
    description = Description(
        format=FORMAT,
        sha256=hashlib.sha256(numbers).hexdigest(),
        spec=agent.spec.text,
        spec_digest=agent.spec.digest,
        training=agent.training_config,
        decision=agent.decision,
        behavior_names=agent.behavior_names,
        horizon=agent.horizon,
        dataset_digest=dataset_digest,
        commit=commit,
    )
    text = yaml.safe_dump(
        asdict(description) | {"behavior_names": list(agent.behavior_names)}, sort_keys=False, width=110
    )
    words_path.parent.mkdir(parents=True, exist_ok=True)
    parts = {numbers_path: part_of(numbers_path), words_path: part_of(words_path)}
    parts[numbers_path].write_bytes(numbers)
    parts[words_path].write_text(text, encoding="utf-8")
    for place, part in parts.items():  # a disk that is full by now leaves an older checkpoint whole
        part.replace(place)
    return words_path


def require_place(path: str | Path) -> None:
    """Raise CheckpointError, or OSError, where a checkpoint cannot be written: before a training, not after it.

    What is there and is no checkpoint, such as the robot's spec or somebody's weights, is not written over.
    """
    words_path, numbers_path = halves(path)
    if words_path.is_file() and not _describes(words_path):
        raise CheckpointError(f"'{words_path}' is there and is no checkpoint; write to another name, or remove it")
    if numbers_path.is_file() and not words_path.exists():
        raise CheckpointError(
            f"'{numbers_path}' is there and is no checkpoint, for want of '{words_path.name}' beside it; write to "
            "another name, or remove it"
        )
    for place in (words_path, numbers_path):
        require_writable(place)


def _describes(path: Path) -> bool:
    """Whether a file is the YAML half of a checkpoint, of whichever format."""
    try:
        words = yaml.safe_load(path.read_bytes())
    except yaml.YAMLError:
        return False
    return isinstance(words, dict) and {"sha256", "spec_digest"} <= words.keys()


def load_checkpoint(
    path: str | Path, spec: RobotSpec | None = None, decision: DecisionConfig | None = None
) -> DvfAgent:
    """Read an agent from `path` (`.yaml`).

    `spec`, where given, must be the one that the agent was trained for; `decision`, where given, replaces the stored
    run-time settings, in which a device cuda counts as auto: which one there is is a matter of the machine. Raises
    CheckpointError, with both digests where two did not agree and the keys where specs did not, and ConfigError for
    settings that ask for what the agent has not learned, or for a device that is not there.
    """
    path, numbers_path = halves(path)
    description = read_description(path)
    if spec is not None and spec.digest != description.spec_digest:
        found = differences(RobotSpec.parse(description.spec, str(path)), spec, ("trained with", "here"))
        raise CheckpointError(
            f"'{path}' was trained for the spec {description.spec_digest}, this robot's spec is {spec.digest}: {found}."
            " States or actions would be mixed up; train on data of this robot, or run with the checkpoint's own spec"
        )
    try:
        numbers = numbers_path.read_bytes()
    except OSError as error:
        raise CheckpointError(
            f"'{numbers_path}' cannot be read ({error.strerror}); it belongs beside '{path.name}'"
        ) from error
    found = hashlib.sha256(numbers).hexdigest()
    if found != description.sha256:
        raise CheckpointError(
            f"'{numbers_path}' was altered: expected SHA-256 {description.sha256}, found {found}; copy it anew"
        )
    agent = DvfAgent(
        RobotSpec.parse(description.spec, str(path)),
        description.behavior_names,
        description.horizon,
        description.training,
        DecisionConfig(device="cpu"),
    )
    try:
        agent.load_state_dict(load(numbers))
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip()
        raise CheckpointError(f"'{path}' was trained by another version ({first}); train anew with this one") from error
    # Only now: what can be asked of it depends on what it has learned.
    agent.configure(decision or _anywhere(description.decision))
    return agent


def _anywhere(decision: DecisionConfig) -> DecisionConfig:
    """Stored settings as they can be taken up on any machine."""
    return replace(decision, device="auto") if decision.device == "cuda" else decision


def load_alike(paths: Sequence[Path], spec: RobotSpec) -> list[DvfAgent]:
    """Read agents of one spec that were trained on the same data in the same way, each with a seed of its own.

    Raises CheckpointError where that is not so, or what `load_checkpoint` does.
    """
    agents = [load_checkpoint(path, spec) for path in paths]
    first, *others = [_training_facts(path, agent) for path, agent in zip(paths, agents, strict=True)]
    for path, facts in zip(paths[1:], others, strict=True):
        for name, expected in first.items():
            if name != "seed" and facts[name] != expected:
                raise CheckpointError(
                    f"'{path}': expected an agent trained as '{paths[0]}' was but for the seed, found {name} "
                    f"{_short(facts[name])} for {_short(expected)}; train it so, with another --training.seed"
                )
    seeds = [facts["seed"] for facts in (first, *others)]
    if len(set(seeds)) < len(seeds):
        raise CheckpointError(
            f"expected agents of different seeds, found {', '.join(map(str, seeds))}: how agents of one seed "
            "differ says nothing; train another with another --training.seed"
        )
    return agents


def _training_facts(path: Path, agent: DvfAgent) -> dict[str, object]:
    """What an agent was trained on and how, by name. The data's digest may be its bags', and then tells no labels."""
    return asdict(agent.training_config) | {
        "data": read_description(path).dataset_digest,
        "behaviors": ", ".join(agent.behavior_names),
        "horizon": agent.horizon,
        "range of the learned reward": (float(agent.reward.lower), float(agent.reward.upper)),
    }


def _short(fact: object) -> str:
    return shorten(str(fact), 100, placeholder=" …")


def read_description(path: str | Path) -> Description:
    """The words of a checkpoint, checked; raises CheckpointError."""
    path, _ = halves(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise CheckpointError(
            f"checkpoint '{path}' cannot be read: {error.strerror}; train one with: dvf train"
        ) from error
    try:
        description = parse(Description, text, str(path))
        LearningConfig(description.training, description.decision)
        spec = RobotSpec.parse(description.spec, f"the spec in {path}")
    except ConfigError as error:
        raise CheckpointError(f"not a checkpoint of format {FORMAT}: {error}") from error
    if description.format != FORMAT:
        raise CheckpointError(
            f"'{path}': expected format {FORMAT}, found {description.format}; train anew with this version"
        )
    if spec.digest != description.spec_digest:
        raise CheckpointError(
            f"'{path}' was altered: expected its spec's digest to be {description.spec_digest}, found {spec.digest}"
        )
    return description


def save_training(training: Training, path: str | Path) -> None:
    """Write a training run to `path` (`.safetensors`), to be taken up by `load_training`; replaces the file at once."""
    path = Path(path)
    part = part_of(path)
    part.write_bytes(save({name: value.cpu().contiguous() for name, value in training.state_dict().items()}))
    part.replace(path)


def load_training(training: Training, path: str | Path) -> None:
    """Bring a fresh Training of the same dataset and configuration to where the file was written."""
    tensors = load(Path(path).read_bytes())
    training.load_state_dict({name: value.to(training.device) for name, value in tensors.items()})
