"""Several processes train one model: the same weights in each, the losses of a process alone, one checkpoint."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch

from dvf_ros.data.dataset import Dataset, DatasetWriter
from dvf_ros.learning import training, workers
from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.checkpoint import load_checkpoint
from dvf_ros.learning.context import TRAITS
from dvf_ros.learning.training import Training, train
from dvf_ros.learning.workers import ALONE, Workers, WorkersError, joined
from tests.learning.small import CONFIG, SPEC, dataset, driven, episode

CPU = torch.device("cpu")
LONGER = replace(
    CONFIG, training=replace(CONFIG.training, updates=200, sampler_distillation=100, distillation=100, members=2)
)
CURVES = (
    *(f"{name}/loss" for name in ("occupancy", "dynamics", "prior", "reward")),
    *(f"{name}/loss" for name in ("one_step_occupancy", "one_step_prior", "value_heads", "actor")),
)
STRETCH = 50


def start(work: Callable[[int, Path], None], folder: Path) -> list[multiprocessing.process.BaseProcess]:
    """Two processes that do `work(rank, folder)`, with what torchrun would have told them."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "torch._dynamo"])  # else each process imports them, for 15 s
    processes = [context.Process(target=enter, args=(work, rank, port, folder)) for rank in range(2)]
    for process in processes:
        process.start()
    return list(processes)


def enter(work: Callable[[int, Path], None], rank: int, port: int, folder: Path) -> None:
    told = {"RANK": rank, "WORLD_SIZE": 2, "MASTER_ADDR": "localhost", "MASTER_PORT": port, "TORCHELASTIC_RUN_ID": "x"}
    os.environ.update({name: str(value) for name, value in told.items()})
    work(rank, folder)


def train_together(rank: int, folder: Path) -> None:
    training.LOG_EVERY = 1
    with joined(CPU) as both:
        agent, history = train(dataset(), LONGER, workers=both)
        with pytest.raises(WorkersError, match=r"same dataset in all workers.*\[1\]"):
            Training(dataset(8 - rank), LONGER, both)
    torch.save((agent.state_dict(), history), folder / f"{rank}.pt")


def test_two_processes_learn_as_one_does_and_hold_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    processes = start(train_together, tmp_path)
    monkeypatch.setattr(training, "LOG_EVERY", 1)
    _, alone = train(dataset(), LONGER)
    for process in processes:
        process.join()
        assert process.exitcode == 0
    (first, together), (second, same) = (torch.load(tmp_path / f"{rank}.pt") for rank in range(2))
    for name, value in first.items():
        assert torch.equal(value, second[name]), name
    assert together == same
    for name in CURVES:
        one, two = (stretches(history, name) for history in (alone, together))
        noise = np.sqrt((one.var(axis=1) + two.var(axis=1)) / STRETCH)
        assert (abs(one.mean(axis=1) - two.mean(axis=1)) < 4 * noise).all(), name


def stretches(history: list[dict[str, float]], name: str) -> np.ndarray:
    """The losses of that name (n, STRETCH), along the way."""
    return np.array([entry[name] for entry in history if name in entry]).reshape(-1, STRETCH)


def share_gradients(rank: int, folder: Path) -> None:
    weights = [torch.zeros(2, 3, requires_grad=True), torch.zeros(1, requires_grad=True), torch.zeros(4)]
    weights[0].grad, weights[1].grad = torch.full((2, 3), 1.0 + 2 * rank), torch.full((1,), -4.0 * rank)
    with joined(CPU) as both:
        both.average(weights)
        assert both.mean({"loss": torch.tensor(float(rank))}) == {"loss": 0.5}
        assert both.leads == (rank == 0)
    assert torch.equal(weights[0].grad, torch.full((2, 3), 2.0))
    assert weights[1].grad.item() == -2.0
    assert weights[2].grad is None


def test_gradients_and_metrics_are_averaged(tmp_path: Path) -> None:
    for process in start(share_gradients, tmp_path):
        process.join()
        assert process.exitcode == 0


def die(rank: int, folder: Path) -> None:
    with joined(CPU) as both:
        model = Training(dataset(), CONFIG, both)
        model.update()
        if rank:
            os._exit(3)
        model.update()


def stand_still(rank: int, folder: Path) -> None:
    workers.PATIENCE = timedelta(seconds=3)
    with joined(CPU) as both:
        model = Training(dataset(), CONFIG, both)
        if rank:
            time.sleep(1e6)
        model.update()


@pytest.mark.parametrize("failing", [die, stand_still])
def test_a_worker_that_fails_ends_the_others(failing: Callable[[int, Path], None], tmp_path: Path) -> None:
    other, failed = start(failing, tmp_path)
    try:
        other.join(60)
        # 1 by the error, or an abort where threads of gloo's broken connections are still there at the exit.
        assert other.exitcode in (1, -signal.SIGABRT)
    finally:
        for process in (other, failed):
            process.kill()


def test_shares_make_a_batch_and_randomness_differs() -> None:
    assert ALONE.share(33) == 33
    assert [Workers(0, count).share(32) for count in (2, 3, 4)] == [16, 11, 8]
    alone, first, second = (worker.rng(5, 7).random(4) for worker in (ALONE, Workers(0, 2), Workers(1, 2)))
    np.testing.assert_array_equal(alone, np.random.default_rng([5, 7]).random(4))
    np.testing.assert_array_equal(alone, first)
    assert not np.isin(second, first).any()


class OnAnotherMachine(Workers):
    """A worker who found every trait with the opposite sign of the first one's, as another BLAS may."""

    def start_alike(self, model: torch.nn.Module) -> None:
        assert isinstance(model, DvfAgent) and model.occupancy.motion is not None
        model.occupancy.motion.traits.neg_()


def test_workers_read_motion_by_the_first_ones_traits() -> None:
    data = Dataset.from_episodes(SPEC, [driven(seed, seed // 8) for seed in range(48)])
    config = replace(CONFIG, training=replace(CONFIG.training, representation="context"))
    own, told = Training(data, config), Training(data, config, OnAnotherMachine())
    first, second = (
        each.batches.pairs(np.random.default_rng(0), 500, each.agent.occupancy)[3][:, :TRAITS] for each in (own, told)
    )
    assert first.abs().max() > 0.5
    known = (first != own.agent.occupancy.behavior.weight[own.agent.occupancy.dropped][:TRAITS]).any(dim=1)
    torch.testing.assert_close(second[known], -first[known])


class Listening(Workers):
    """A worker alone, whose `heard` holds what all would have to agree on."""

    heard: ClassVar[dict[str, object]] = {}

    def agree(self, name: str, what: Callable[[], object]) -> None:
        self.heard[name] = what()


@pytest.mark.parametrize(
    ("label", "other"),
    [("rewards", 0.5), ("reward_mask", False), ("action_mask", False), ("behavior", 1), ("terminated", True),
     ("success", 1.0), ("behavior_names", None)],
)  # fmt: skip
def test_workers_whose_labels_differ_do_not_agree_on_the_dataset(label: str, other: float | None) -> None:
    data = replace(dataset(), source_digest=("bag",) * 8)
    labels = np.array(getattr(data, label))
    labels[-2] = other
    altered = replace(data, **{label: labels} if other is not None else {label: ("a", "c")})
    assert altered.digest == data.digest, "the bags are the same"
    heard = []
    for given in (data, altered, data):
        Training(given, CONFIG, Listening())
        heard.append(Listening.heard["dataset"])
    assert heard[0] == heard[2] != heard[1]


def test_torchrun_writes_one_checkpoint(tmp_path: Path) -> None:
    writer = DatasetWriter(tmp_path / "data", SPEC)
    for seed in range(4):
        writer.append(episode(seed, "ab"[seed % 2]))
    writer.close()
    few = {"updates": 3, "sampler_distillation": 2, "distillation": 2, "chunk": 4, "batch": 32, "width": 16}
    options = [word for name, value in few.items() for word in (f"--training.{name.replace('_', '-')}", str(value))]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += ["-m", "dvf_ros.cli", "train", "data", "made/agent.yaml", "--decision.device", "cpu", *options]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count("checkpoint:") == 1
    assert {file.name for file in (tmp_path / "made").iterdir()} == {"agent.yaml", "agent.safetensors"}
    assert load_checkpoint(tmp_path / "made" / "agent.yaml").distilled
