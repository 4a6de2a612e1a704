"""One learner on one task with one seed: trained once, its controllers judged on the same episodes as all others."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from benchmarks.control.controllers import DVF, REGRESSED, controller, regressed_path
from benchmarks.peers import Peer, load_peer, train_peer
from benchmarks.regressed_value import regress
from benchmarks.simulation import simulation
from dvf_ros.cli.closed_loop import run_episode
from dvf_ros.core.results import commit
from dvf_ros.data.dataset import Dataset
from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.checkpoint import load_checkpoint, save_checkpoint
from dvf_ros.learning.config import LearningConfig
from dvf_ros.learning.training import train

LATER = {"hop": 0, "context_depth": 0}
"""Settings that are younger than cells which were measured, at the value that leaves all as it was without them."""


@dataclass(frozen=True)
class Job:
    """What is learned from which data, and the episodes it is judged on.

    `data` says in words what the dataset holds. A library is given `seconds` of one core.
    """

    learner: str
    data: str
    task: str
    seed: int
    config: LearningConfig
    seconds: float
    regression_updates: int
    dataset: Path
    folder: Path
    first_episode: int
    episodes: int
    steps: int
    controllers: tuple[str, ...]
    learns_from_agent: bool = False

    @property
    def setting(self) -> str:
        """All that a cell depends on but for task, seed and controller, in a few letters.

        A library has nothing of the agent but its discount and its view of states; unless it is told rewards which the
        agent predicts.
        """
        agent: object = replace(self.config, training=replace(self.config.training, seed=0)), self.regression_updates
        if self.learner != DVF:
            training = self.config.training
            view = training.discount, training.relative_positions
            agent = view, self.seconds, self.learns_from_agent and agent
        text = repr((self.data, self.first_episode, self.episodes, self.steps, agent))
        for name, value in LATER.items():
            text = text.replace(f"{name}={value}, ", "")
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def path(self) -> Path:
        """Where what was learned lies, without a suffix."""
        return self.folder / f"{self.learner}_{self.seed}_{self.setting}"


@dataclass(frozen=True)
class Cell:
    """One controller of one training: success of every episode, at any time and at the last step, as 0s and 1s.

    `seconds` of one core that its learner was trained, and in how many updates.
    """

    ever: str
    last: str
    seconds: float
    updates: int
    setting: str
    commit: str


def done(job: Job) -> list[tuple[str, Cell]]:
    """Train where that has not been done, then judge each of the job's controllers."""
    torch.set_num_threads(1)
    trained = _trained(job) if job.learner == DVF else _peer_trained(job)
    found = []
    for name in job.controllers:
        if job.learner == DVF:
            driver: DvfAgent | Peer = controller(name, job.path.with_suffix(".yaml"), job.config.decision)
        else:
            relative = job.config.training.relative_positions
            driver = load_peer(job.path.with_suffix(".pt"), Dataset.open(job.dataset), relative)
        seeds = range(job.first_episode, job.first_episode + job.episodes)
        sim = simulation(driver.spec.task, driver.spec.rate)
        outcomes = [run_episode(driver, sim, seed, job.steps) for seed in seeds]
        cell = Cell(
            ever="".join(str(int(outcome.ever)) for outcome in outcomes),
            last="".join(str(int(outcome.last)) for outcome in outcomes),
            seconds=trained["seconds"],
            updates=int(trained["updates"]),
            setting=job.setting,
            commit=commit(),
        )
        found.append((name, cell))
    return found


def _trained(job: Job) -> dict[str, float]:
    """Train the agent, and a value regressed in place of its own, unless their files are there."""
    path, record = job.path.with_suffix(".yaml"), job.path.with_suffix(".json")
    dataset = Dataset.open(job.dataset)
    if not record.exists():
        begin = time.process_time()
        agent, history = train(dataset, job.config)
        seconds = time.process_time() - begin
        save_checkpoint(agent, path, dataset.digest, commit())
        record.write_text(json.dumps({"seconds": seconds, "updates": history[-1]["update"]}))
    if REGRESSED in job.controllers and not regressed_path(path).exists():
        agent = load_checkpoint(path, decision=job.config.decision)
        states = agent.encoder.encode(torch.from_numpy(np.array(dataset.states)))
        settings = job.config.training
        model = regress(
            dataset,
            states,
            rewards_on_arrival(dataset, agent),
            settings.discount,
            settings.perturbation,
            job.regression_updates,
            job.seed,
        )
        save_file(model.state_dict(), regressed_path(path))
    found: dict[str, float] = json.loads(record.read_text())
    return found


@torch.inference_mode()
def rewards_on_arrival(dataset: Dataset, agent: DvfAgent) -> np.ndarray:
    """(F,) reward of every state: the label where it has one, the agent's reward predictor's word elsewhere."""
    states = agent.encoder.encode(torch.from_numpy(np.array(dataset.states)))
    rewards = agent.reward.predict(states).mean(dim=0).numpy()
    labelled = np.flatnonzero(dataset.reward_mask)
    rewards[labelled + 1] = dataset.rewards[labelled]
    return rewards


def _peer_trained(job: Job) -> dict[str, float]:
    """Train a library's algorithm unless its files are there.

    Where it learns from the agent, rewards that nobody labelled are those which the agent of its seed predicts.
    """
    policy, record = job.path.with_suffix(".pt"), job.path.with_suffix(".json")
    if not record.exists():
        dataset = Dataset.open(job.dataset)
        rewards = np.array(dataset.rewards)
        if job.learns_from_agent:
            agent = load_checkpoint(replace(job, learner=DVF).path.with_suffix(".yaml"))
            rewards = np.roll(rewards_on_arrival(dataset, agent), -1)  # of the frame before
        train_peer(policy, dataset, rewards, job.learner, job.seconds, job.config.training)
    found: dict[str, float] = json.loads(record.read_text())
    return found
