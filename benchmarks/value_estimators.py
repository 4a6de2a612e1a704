"""Values of the same states by several methods that learned from the same episodes."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from benchmarks.peers import action_range, run_peer, transitions
from benchmarks.regressed_value import regress
from dvf_ros.data.dataset import Dataset
from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.checkpoint import load_checkpoint
from dvf_ros.learning.config import TrainingConfig
from dvf_ros.learning.value import draw_randomness, estimate_value

DVF, REGRESSED, FQE = "dvf", "regressed", "fqe"
FQE_OF = {policy: f"{FQE}, {policy} actions" for policy in ("cloned", "logged")}
"""By what stands in the policy's place; with a cloned one it is as the library has it. Updates follow in the name."""

UNKNOWN = "behavior unknown"
HOP = 10
"""Ticks; of 5, 10, 20, 40 and the data's horizon one of those of least error on episodes of the seeds from 20000 on."""

IN_HOPS = f"{DVF}, in hops of {HOP} ticks"
FUTURES = 256
SAMPLING_STEPS = 4
STATES = 64
"""States that are valued with the same draws."""

SHIPPED = Path("resource/panda_lift.yaml")


@dataclass(frozen=True)
class Held:
    """States (N, D) of episodes that no training saw, the actions (N, A) taken there, and what became of them.

    behavior (N,) index, episode (N,) seed. logged (N,): the return in the episode itself. continued (C,): the mean
    return of runs from the states `restored` (C,); `noise` is the variance of such a mean.
    """

    states: np.ndarray
    actions: np.ndarray
    behavior: np.ndarray
    episode: np.ndarray
    logged: np.ndarray
    restored: np.ndarray
    continued: np.ndarray
    noise: float

    def truth(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Rows (n,) that the truth `logged` or `continued` is known of, and the returns (n,) there."""
        return (self.restored, self.continued) if name == "continued" else (np.arange(len(self.logged)), self.logged)


@dataclass(frozen=True)
class Sampled:
    """Values (N,) from futures, and how uncertain each is by sampling and by reward heads that disagree."""

    value: np.ndarray
    deviation: np.ndarray


def estimates(
    agent: DvfAgent, data: Dataset, held: Held, updates: int, fqe_updates: Sequence[int], folder: Path
) -> dict[str, Sampled]:
    """Values as returns by every method, those that are not told the behavior too; all train with the agent's seed.

    FQE is asked after each of the numbers in `fqe_updates`: it takes over its target now and then, and sees no further
    than that often.
    """
    encode = agent.encoder.encode
    states, behavior = encode(torch.from_numpy(held.states).float()), torch.from_numpy(held.behavior)
    dropped = torch.full_like(behavior, agent.occupancy.dropped)
    trained_on = encode(torch.from_numpy(np.array(data.states)))
    known = torch.from_numpy(np.repeat(data.behavior, data.episode_length))
    config = agent.training_config
    # First what takes longest: its values are kept, should the rest be cut.
    log = _log(agent, data, held, _told(trained_on, known), _told(states, behavior))
    found: dict[str, Sampled] = {}
    for policy, name in FQE_OF.items():
        after = _fqe(log, policy, updates, fqe_updates, config, folder)
        found |= {f"{name}, {n} updates": _certain(one) for n, one in zip(fqe_updates, after, strict=True)}
    labels = np.zeros(data.frames, np.float32)
    labels[1:] = data.rewards[:-1]  # on arrival: an episode's first state has none, and no return counts it
    gain = 1.0 / (1.0 - config.discount)
    for blur in (0.0, config.perturbation):
        for name, seen, asked in (
            (f"{REGRESSED}, perturbed by {blur:g}", _told(trained_on, known), _told(states, behavior)),
            (f"{REGRESSED}, perturbed by {blur:g}, {UNKNOWN}", trained_on, states),
        ):
            model = regress(data, seen, labels, config.discount, blur, updates, config.seed)
            found[name] = _certain(gain * model(asked).numpy())
    return {
        DVF: sampled(agent, states, behavior),
        IN_HOPS: sampled(agent, states, behavior, HOP),
        f"{DVF}, {UNKNOWN}": sampled(agent, states, dropped),
    } | found


def shipped_values(held: Held) -> np.ndarray:
    """Values (N,) by the shipped checkpoint as the value monitor asks it: 16 futures, one step, behavior unknown."""
    shipped = load_checkpoint(SHIPPED)
    return np.array([shipped.value(row, np.random.default_rng(k))[0] for k, row in enumerate(held.states)])


@torch.inference_mode()
def sampled(agent: DvfAgent, states: Tensor, behavior: Tensor, hop: int | None = None) -> Sampled:
    """Values of model-space states (N, E) where the behaviors (N,) or φ (N, P) drive: FUTURES futures, exact sampler.

    The occupancy is asked for `hop` ticks at once; for as many as its data covers where none is given.
    """
    rng, found = np.random.default_rng(0), []
    discount, hop = agent.training_config.discount, hop or agent.horizon
    for rows in torch.arange(len(states)).split(STATES):
        draws = draw_randomness(rng, FUTURES, agent.encoder.size, discount, hop)
        index = behavior[rows].unsqueeze(1)

        def sample(state: Tensor, offset: Tensor, noise: Tensor, index: Tensor = index) -> Tensor:
            return agent.occupancy.sample(state, offset, index, noise, SAMPLING_STEPS)

        start = states[rows].unsqueeze(1)
        one = estimate_value(sample, agent.reward.predict, start, draws, discount, hop)
        found.append(torch.stack([one.value, torch.hypot(one.standard_error, one.disagreement)]))
    return Sampled(*torch.cat(found, dim=1).numpy())


def _certain(values: np.ndarray) -> Sampled:
    """Values (N,) of a method that does not say how uncertain they are."""
    return Sampled(values, np.zeros_like(values))


def _told(states: Tensor, behavior: Tensor) -> Tensor:
    """States (N, E + B) that say which of B behaviors drives."""
    return torch.cat([states, one_hot(behavior).float()], dim=1)


def _log(agent: DvfAgent, data: Dataset, held: Held, states: Tensor, asked: Tensor) -> dict[str, np.ndarray]:
    """The dataset as d3rlpy takes it, and what its FQE is asked for."""
    middle, half = action_range(agent.spec)
    return transitions(data, states.numpy(), np.array(data.rewards)) | {
        "query": asked.numpy(),
        "query_actions": ((held.actions - middle) / half).astype(np.float32),
    }


def _fqe(
    log: dict[str, np.ndarray],
    policy: str,
    cloning: int,
    updates: Sequence[int],
    config: TrainingConfig,
    folder: Path,
) -> np.ndarray:
    """Values (U, N) of what is queried after each of U numbers of updates."""
    learned_from = b"".join(np.ascontiguousarray(log[name]).tobytes() for name in sorted(log))
    of = hashlib.sha256(learned_from + repr(config.discount).encode()).hexdigest()[:12]
    counts = list(map(str, updates))
    path = folder / f"fqe_{policy}_{cloning}_{'-'.join(counts)}_{config.seed}_{of}.npy"
    if not path.exists():
        with tempfile.TemporaryDirectory() as place:
            np.savez(Path(place) / "log.npz", **log)
            numbers = {"cloning": cloning, "discount": f"{config.discount:g}", "seed": config.seed}
            words = [word for name, value in numbers.items() for word in (f"--{name}", str(value))]
            words += ["--updates", *counts]
            run_peer("fqe.py", [Path(place) / "log.npz", path, "--policy", policy, *words])
    found: np.ndarray = np.load(path)
    return found
