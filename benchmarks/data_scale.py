"""Ten million frames: how soon a dataset is open, and what a pair of its frames costs."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.data_bags import SPEC
from dvf_ros.data.dataset import Dataset, DatasetWriter, Episode
from dvf_ros.data.pairs import PairSampler

SHORTEST, LONGEST = 250, 750  # frames of an episode
BATCH, DRAWS, ROUNDS = 4096, 200, 5
DISCOUNT = 0.985
OPENINGS = 5
OPEN = """
import sys, time
from dvf_ros.data.dataset import Dataset
began = time.perf_counter()
Dataset.open(sys.argv[1])
print(time.perf_counter() - began)
"""


def write_dataset(folder: Path, frames: int, seed: int) -> Path:
    """A dataset of random numbers of at least `frames` frames; a third of its episodes terminated."""
    rng = np.random.default_rng(seed)
    writer = DatasetWriter(folder, SPEC)
    written = 0
    while written < frames:
        length = int(rng.integers(SHORTEST, LONGEST + 1))
        mask = np.arange(length) < length - 1
        terminated = bool(rng.random() < 1 / 3)
        writer.append(
            Episode(
                states=rng.standard_normal((length, SPEC.state_size), np.float32),
                actions=np.zeros((length, SPEC.action_size), np.float32),
                action_mask=mask,
                rewards=np.zeros(length, np.float32),
                reward_mask=mask,
                stamps=np.arange(length) * SPEC.period_ns,
                terminated=terminated,
                truncated=not terminated,
            )
        )
        written += length
    writer.close()
    return folder


def measure(folder: Path) -> dict[str, Any]:
    """Opening in processes of their own, and pairs per second of one core: their indices, and with their states."""
    seconds = [
        float(subprocess.run([sys.executable, "-c", OPEN, folder], capture_output=True, text=True, check=True).stdout)
        for _ in range(OPENINGS)
    ]
    dataset = Dataset.open(folder)
    sampler = PairSampler(dataset, DISCOUNT)
    states = dataset.states
    np.asarray(states).sum()  # into memory: what is measured is no disk
    rng = np.random.default_rng(0)
    drawn, fetched = [], []
    for _ in range(ROUNDS):
        began = time.process_time()
        batches = [sampler.draw(rng, BATCH) for _ in range(DRAWS)]
        middle = time.process_time()
        for pairs in batches:
            states[pairs.index], states[pairs.future]
        ended = time.process_time()
        drawn.append(middle - began)
        fetched.append(ended - began)
    count = BATCH * DRAWS
    return {
        "frames": dataset.frames,
        "episodes": dataset.episodes,
        "bytes": sum(file.stat().st_size for file in folder.iterdir()),
        "open_s": max(seconds),
        "pairs_per_s": count / float(np.median(drawn)),
        "pairs_with_states_per_s": count / float(np.median(fetched)),
    }
