"""A trained agent on disk: `<name>.safetensors` with all numbers, `<name>.yaml` with all words. Never a pickle.

The YAML holds the format's version, the SHA-256 of the safetensors, the spec's text and digest, the configuration,
the behaviors, the horizon, the dataset's digest and the commit. Normalisation lies among the numbers, as buffers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml
from safetensors.torch import load, save

from dvf_ros.core.parsing import ConfigError, parse
from dvf_ros.core.spec import RobotSpec
from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.config import DecisionConfig, LearningConfig, TrainingConfig
from dvf_ros.learning.training import Training

FORMAT = 1


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


def save_checkpoint(agent: DvfAgent, path: str | Path, dataset_digest: str, commit: str) -> None:
    """Write an agent to `path` (`.yaml`) and the numbers beside it (`.safetensors`)."""
    path = Path(path)
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
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".safetensors").write_bytes(numbers)
    path.with_suffix(".yaml").write_text(text, encoding="utf-8")


def load_checkpoint(
    path: str | Path, spec: RobotSpec | None = None, decision: DecisionConfig | None = None
) -> DvfAgent:
    """Read an agent from `path` (`.yaml`).

    `spec`, where given, must be the one that the agent was trained for; `decision`, where given, replaces the stored
    run-time settings. Raises CheckpointError, with both digests where two did not agree.
    """
    path = Path(path).with_suffix(".yaml")
    description = read_description(path)
    if spec is not None and spec.digest != description.spec_digest:
        raise CheckpointError(
            f"'{path}' was trained for the spec {description.spec_digest}, this robot's spec is {spec.digest}: "
            "states or actions would be mixed up; train on data of this robot, or run with the checkpoint's own spec"
        )
    numbers_path = path.with_suffix(".safetensors")
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
        decision or description.decision,
    )
    try:
        agent.load_state_dict(load(numbers))
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip()
        raise CheckpointError(f"'{path}' was trained by another version ({first}); train anew with this one") from error
    return agent


def load_alike(paths: Sequence[Path], spec: RobotSpec) -> list[DvfAgent]:
    """Read agents of one spec that were trained on the same data in the same way, each with a seed of its own.

    Raises CheckpointError where that is not so, or what `load_checkpoint` does.
    """
    agents = [load_checkpoint(path, spec) for path in paths]
    first, *others = [_training_facts(path) for path in paths]
    for path, facts in zip(paths[1:], others, strict=True):
        for name, expected in first.items():
            if name != "seed" and facts[name] != expected:
                raise CheckpointError(
                    f"'{path}': expected an agent trained as '{paths[0]}' was but for the seed, found {name} "
                    f"{facts[name]} for {expected}; train it so, with another --training.seed"
                )
    seeds = [facts["seed"] for facts in (first, *others)]
    if len(set(seeds)) < len(seeds):
        raise CheckpointError(
            f"expected agents of different seeds, found {', '.join(map(str, seeds))}: how agents of one seed "
            "differ says nothing; train another with another --training.seed"
        )
    return agents


def _training_facts(path: Path) -> dict[str, object]:
    """What an agent was trained on and how, by name."""
    description = read_description(path.with_suffix(".yaml"))
    return asdict(description.training) | {"data": description.dataset_digest}


def read_description(path: str | Path) -> Description:
    """The words of a checkpoint, checked; raises CheckpointError."""
    try:
        text = Path(path).read_text(encoding="utf-8")
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
    part = path.with_suffix(".part")
    part.write_bytes(save({name: value.cpu().contiguous() for name, value in training.state_dict().items()}))
    part.replace(path)


def load_training(training: Training, path: str | Path) -> None:
    """Bring a fresh Training of the same dataset and configuration to where the file was written."""
    tensors = load(Path(path).read_bytes())
    training.load_state_dict({name: value.to(training.device) for name, value in tensors.items()})
