"""One process, or each of several, of `benchmarks.training`: the steps of every stage of a training, timed."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from dvf_ros.core.spec import RobotSpec
from dvf_ros.data.dataset import Dataset, Episode
from dvf_ros.learning import distillation
from dvf_ros.learning.config import DecisionConfig, LearningConfig, TrainingConfig
from dvf_ros.learning.distillation import Distillation
from dvf_ros.learning.sampler_distillation import SamplerDistillation
from dvf_ros.learning.training import Training
from dvf_ros.learning.workers import ALONE, Workers, joined

SPEC = Path("config/panda_lift.yaml")
EPISODES, FRAMES = 400, 121  # of the shipped agent's dataset
PRODUCT, PRODUCTS = 2048, 10  # rows and columns of the product that is the machine's speed, and how often
WARM_UP = 5


class Stage(Protocol):
    """What takes steps."""

    def update(self) -> dict[str, Tensor]:
        """Take one."""


def lift_sized(episodes: int = EPISODES) -> Dataset:
    """As much data as the shipped agent was trained on: what is in it makes no step longer."""
    spec, rng = RobotSpec.load(SPEC), np.random.default_rng(0)
    known = np.arange(FRAMES) < FRAMES - 1
    made = []
    for number in range(episodes):
        steps = 0.01 * rng.standard_normal((FRAMES, spec.state_size))
        actions = rng.uniform(spec.action_lower, spec.action_upper, (FRAMES, spec.action_size))
        made.append(
            Episode(
                states=(spec.neutral_state + np.cumsum(steps, axis=0)).astype(np.float32),
                actions=np.where(known[:, None], actions, 0.0).astype(np.float32),
                action_mask=known,
                rewards=np.where(known, rng.random(FRAMES) < 0.3, 0.0).astype(np.float32),
                reward_mask=known,
                stamps=np.arange(FRAMES) * spec.period_ns,
                behavior=f"behavior {number % 4}",
            )
        )
    return Dataset.from_episodes(spec, made)


def measure(dataset: Dataset, threads: int, updates: int, workers: Workers = ALONE) -> dict[str, dict[str, float]]:
    """By stage: seconds of an update (median), rows of its batch, its operations, and the machine's speed (flop/s).

    Operations are those of the matrix products, forwards and backwards, of all workers, as torch counts them; the speed
    is the best of PRODUCTS large products by as many threads of as many workers, just before the stage.
    """
    settings = TrainingConfig()
    training = Training(dataset, LearningConfig(settings, DecisionConfig(threads=threads, device="cpu")), workers)
    agent, batches, seed = training.agent, training.batches, settings.seed
    samplers = SamplerDistillation(agent, batches, settings.sampler_distillation, seed, workers)
    heads = Distillation(agent, batches, settings.distillation, seed, workers)
    rows = {"training": settings.batch, "samplers": settings.batch, "heads": distillation.STATES + distillation.ACTED}
    counts = (settings.updates, settings.sampler_distillation, settings.distillation)
    found = {}
    stages: tuple[Stage, ...] = (training, samplers, heads)
    for name, stage, count in zip(rows, stages, counts, strict=True):
        speed = workers.mean({"flops": torch.tensor(product_speed(), dtype=torch.float64)})["flops"] * workers.count
        about = {"rows": rows[name], "updates": count, "machine_flops": speed}
        found[name] = about | time_steps(stage, updates)
        found[name]["flop"] *= workers.count
    return found


def product_speed() -> float:
    """Floating-point operations per second of one large float32 product, at best."""
    left, right = torch.randn(2, PRODUCT, PRODUCT)
    times = []
    for _ in range(PRODUCTS):
        began = time.perf_counter()
        torch.mm(left, right)
        times.append(time.perf_counter() - began)
    return 2.0 * PRODUCT**3 / min(times)


def time_steps(stage: Stage, updates: int) -> dict[str, float]:
    """Median seconds of an update, and its floating-point operations in this process."""
    for _ in range(WARM_UP):
        stage.update()
    with FlopCounterMode(display=False) as counter:
        stage.update()
    times = []
    for _ in range(updates):
        began = time.perf_counter()
        stage.update()
        times.append(time.perf_counter() - began)
    return {"seconds": float(np.median(times)), "flop": counter.get_total_flops()}


def main() -> None:
    """Measure, and let the first worker write it down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--updates", type=int, required=True)
    args = parser.parse_args()
    with joined(torch.device("cpu")) as workers:
        found = measure(lift_sized(), args.threads, args.updates, workers)
        if workers.leads:
            args.output.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
