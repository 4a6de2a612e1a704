"""Training in several processes, on one machine or many, as torchrun starts them: a share of every batch each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

PATIENCE = timedelta(minutes=5)
"""How long a worker waits for the others, who may still be reading their data, before it gives up."""


class WorkersError(ValueError):
    """Workers that cannot train together."""


@dataclass(frozen=True)
class Workers:
    """This process, number `rank` of `count` that train one model; alone, it is as if there were no such thing.

    All start from the same weights and take the same steps, by the mean of their gradients, so that nothing but
    gradients has to be sent (Goyal et al. 2017, arXiv 1706.02677). The whole batch is what it is for one process.
    """

    rank: int = 0
    count: int = 1

    @property
    def leads(self) -> bool:
        """Whether it is this one that speaks to the user, and writes."""
        return self.rank == 0

    def rng(self, *key: int) -> np.random.Generator:
        """Random numbers by `key`, others for every worker; the first one's are those of a process alone."""
        own = (self.rank,) if self.rank else ()
        return np.random.default_rng(np.random.SeedSequence(key, spawn_key=own))

    def share(self, rows: int) -> int:
        """How many of a batch's rows each worker draws: rounded up, since it is never less than what was asked for."""
        return -(-rows // self.count)

    def agree(self, name: str, what: Callable[[], object]) -> None:
        """Raise WorkersError, in all workers, unless `what` is the same for all."""
        if self.count == 1:
            return
        found: list[object] = [None] * self.count
        dist.all_gather_object(found, what())
        others = [rank for rank, other in enumerate(found) if other != found[0]]
        if others:
            raise WorkersError(
                f"expected the same {name} in all workers, found another than the first one's in {others}; "
                "start all of them with the same files and options"
            )

    def start_alike(self, model: nn.Module) -> None:
        """Give every worker the first one's weights and buffers: machines may differ in their last digits."""
        if self.count > 1:
            for tensor in model.state_dict().values():
                dist.broadcast(tensor, src=0)

    def average(self, weights: Sequence[Tensor]) -> None:
        """Put the mean of all workers' gradients in the place of this one's."""
        if self.count > 1:
            gradients = [weight.grad for weight in weights if weight.grad is not None]
            vector_to_parameters(self._mean(parameters_to_vector(gradients)), gradients)

    def mean(self, metrics: dict[str, Tensor]) -> dict[str, float]:
        """The metrics of one update, over the whole batch."""
        if self.count > 1:
            metrics = dict(zip(metrics, self._mean(torch.stack([*metrics.values()])), strict=True))
        return {name: float(value) for name, value in metrics.items()}

    def _mean(self, numbers: Tensor) -> Tensor:
        dist.all_reduce(numbers)
        return numbers / self.count


ALONE = Workers()


@contextmanager
def joined(device: torch.device) -> Iterator[Workers]:
    """The workers that torchrun started, over NCCL where they compute on CUDA and gloo where not; ALONE without it.

    Where one fails, the others' next exchange does too, after PATIENCE at the latest. Raises WorkersError for more
    workers than GPUs on a machine.
    """
    if not dist.is_torchelastic_launched():
        yield ALONE
        return
    if device.type == "cuda":
        local, present = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if local >= present:
            raise WorkersError(
                f"expected at most one worker per GPU, {present} here, found more; start fewer, or on the CPU"
            )
        torch.cuda.set_device(local)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield Workers(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()
