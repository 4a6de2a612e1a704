"""d3rlpy and rliable from this side: they run in an environment of their own and are spoken to by files."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from dvf_ros.core.decision import Decision
from dvf_ros.core.spec import RobotSpec
from dvf_ros.data.dataset import Dataset
from dvf_ros.learning.config import DecisionConfig, TrainingConfig
from dvf_ros.learning.encoding import StateEncoder

PYTHON = Path(".venv-d3rlpy/bin/python")


@dataclass(frozen=True)
class Peer:
    """A policy that a library learned, as it is driven in an episode: one action from every state."""

    spec: RobotSpec
    encoder: StateEncoder
    policy: torch.jit.ScriptModule
    decision: DecisionConfig = field(default_factory=lambda: DecisionConfig(execute=1))

    @torch.inference_mode()
    def decide(self, state: np.ndarray, rng: np.random.Generator) -> Decision:
        """The action for a state (D,); it depends on nothing else."""
        share = self.policy(self.encoder.encode(torch.from_numpy(state).float().unsqueeze(0))).numpy()
        middle, half = action_range(self.spec)
        chunk = (middle + half * share.clip(-1.0, 1.0)).reshape(1, -1)
        nothing = np.zeros(1)
        return Decision(chunk, 0, chunk[None], nothing, nothing, nothing, nothing, 0.0, supported=np.ones(1, bool))


def load_peer(policy: Path, dataset: Dataset, relative_positions: bool) -> Peer:
    """The policy in a file that `train_peer` wrote, for the dataset it was trained on and what it saw of it."""
    encoder = _fitted_encoder(dataset, relative_positions)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # TorchScript is on its way out, but all that d3rlpy writes
        return Peer(dataset.spec, encoder, torch.jit.load(policy))


def train_peer(
    policy: Path, dataset: Dataset, rewards: np.ndarray, algorithm: str, seconds: float, agent: TrainingConfig
) -> None:
    """Train one of d3rlpy's algorithms for so many seconds of one core and write `policy`, and a `.json` beside it.

    rewards (F,), on arrival, of the dataset's frames: all of them count, whatever its own mask says. Of the agent's
    training it takes the discount and the seed, and sees states as the agent does.
    """
    encoder = _fitted_encoder(dataset, agent.relative_positions)
    observations = encoder.encode(torch.from_numpy(np.array(dataset.states))).numpy()
    with tempfile.TemporaryDirectory(prefix="dvf-") as folder:
        log, unfinished = Path(folder) / "log.npz", Path(folder) / "policy.pt"
        np.savez(log, **transitions(dataset, observations, rewards))
        options = {"algorithm": algorithm, "seconds": seconds, "discount": agent.discount, "seed": agent.seed}
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        run_peer("peer_policy.py", [log, unfinished, *words])
        policy.parent.mkdir(parents=True, exist_ok=True)
        policy.write_bytes(unfinished.read_bytes())
        # Last: where it is, all is.
        policy.with_suffix(".json").write_text(unfinished.with_suffix(".json").read_text())


def transitions(dataset: Dataset, observations: np.ndarray, rewards: np.ndarray) -> dict[str, np.ndarray]:
    """The frames (n,) whose action is known, as d3rlpy takes them; observations (F, O) and rewards (F,) of all frames.

    Actions are shares of their limits, since its policies stay within -1 .. 1. Where a run of known actions ends, the
    step that leads to its last state is the one that is cut off.
    """
    middle, half = action_range(dataset.spec)
    kept = np.array(dataset.action_mask)
    last = dataset.episode_start + dataset.episode_length - 1
    kept[last] = False
    return {
        "observations": observations[kept],
        "actions": ((dataset.actions[kept] - middle) / half).astype(np.float32),
        "rewards": rewards[kept].astype(np.float32),
        "timeouts": (~np.append(kept[1:], False))[kept].astype(np.float32),
    }


def interquartile_means(scores: Mapping[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """Controller -> mean, low, high (95 %) of scores (runs, tasks), by rliable."""
    with tempfile.TemporaryDirectory(prefix="dvf-") as folder:
        asked, found = Path(folder) / "scores.json", Path(folder) / "means.json"
        asked.write_text(json.dumps({name: rows.tolist() for name, rows in scores.items()}))
        run_peer("iqm.py", [asked, found])
        means: dict[str, dict[str, float]] = json.loads(found.read_text())
        return means


def run_peer(script: str, words: Sequence[str | Path]) -> None:
    """Run a script of this folder in the peers' environment, on one core.

    Raises FileNotFoundError where that environment is missing.
    """
    if not PYTHON.exists():
        raise FileNotFoundError(f"expected d3rlpy in {PYTHON}, found nothing: run `make peers`")
    command = [PYTHON, "-I", "-W", "ignore", Path(__file__).with_name(script).resolve(), *words]
    one_core = os.environ | {"OMP_NUM_THREADS": "1"}
    # The libraries speak on stdout, at every look at the clock; what goes wrong they say on stderr.
    subprocess.run(command, check=True, env=one_core, stdout=subprocess.DEVNULL)


def _fitted_encoder(dataset: Dataset, relative_positions: bool) -> StateEncoder:
    encoder = StateEncoder(dataset.spec.state_layout, relative_positions)
    encoder.fit(dataset.states)
    return encoder


def action_range(spec: RobotSpec) -> tuple[np.ndarray, np.ndarray]:
    """Middle (A,) and half (A,) of the actions' range."""
    lower, upper = np.asarray(spec.action_lower), np.asarray(spec.action_upper)
    return (upper + lower) / 2.0, (upper - lower) / 2.0
