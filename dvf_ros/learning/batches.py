"""Training batches: a dataset's frames in model space, and random draws of what each model learns from."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from dvf_ros.data.dataset import Dataset, DatasetError
from dvf_ros.data.pairs import Hops, Pairs, PairSampler
from dvf_ros.learning.config import TrainingConfig
from dvf_ros.learning.context import MotionEncoder, MotionSampler
from dvf_ros.learning.encoding import StateEncoder
from dvf_ros.learning.occupancy import Occupancy


class Batches:
    """The frames (F, E) in model space on one device; every draw takes its randomness from the caller.

    Raises DatasetError for a dataset without a chunk of known actions. Rewards may be missing altogether.
    """

    def __init__(self, dataset: Dataset, encoder: StateEncoder, config: TrainingConfig, device: torch.device) -> None:
        self.config = config
        self.device = device
        self._pairs = PairSampler(dataset, config.discount)
        self._motions: MotionSampler | None = None
        self.windows = self._on_device(_windows(dataset, config.chunk))  # (W,) frames that a known chunk starts from
        self._labelled = self._on_device(np.flatnonzero(dataset.reward_mask))
        with torch.no_grad():
            self.states = encoder.encode(torch.from_numpy(np.array(dataset.states))).to(device)
        self._actions = self._on_device(np.array(dataset.actions))
        self._rewards = self._on_device(np.array(dataset.rewards))

    def read_motion(self, encoder: MotionEncoder, dataset: Dataset) -> None:
        """Remember what every transition of the dataset says to a fitted encoder."""
        self._motions = MotionSampler(dataset, self.states, encoder)

    @property
    def labels(self) -> Tensor:
        """All known rewards (n,); none where nobody labelled anything."""
        return self._rewards[self._labelled]

    def pairs(
        self, rng: np.random.Generator, count: int, reader: Occupancy | None = None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Draw `count` pairs: state (B, E), offset (B,) ticks, future (B, E+1) and behavior (B,).

        The future's last number is the terminal bit: -1, or 1 past a true termination. Where the representation is
        context and an occupancy is given to read it off motion (after `read_motion`), the behavior is φ (B, P).
        """
        pairs = self._pairs.draw(rng, count)
        # Arriving at the last state earns its reward; only what comes after is the end.
        future = self._future(pairs.future, pairs.offset > pairs.future - pairs.index)
        behavior = self._driver(rng, pairs, reader)
        return self.states[self._on_device(pairs.index)], self._on_device(pairs.offset), future, behavior

    def hops(
        self, rng: np.random.Generator, count: int, reader: Occupancy | None = None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Draw as `pairs` does, but offsets of any length, and a fifth: ticks (B,) that remain from the future on.

        They are 0 where the log shows the state at the offset; where it ends before, the future is its last state.
        """
        hops = self._pairs.draw_hops(rng, count)
        ended = (hops.remaining == 0) & (hops.offset > hops.landed - hops.index)
        future, behavior = self._future(hops.landed, ended), self._driver(rng, hops, reader)
        state, offset = self.states[self._on_device(hops.index)], self._on_device(hops.offset)
        return state, offset, future, behavior, self._on_device(hops.remaining)

    def chunks(self, rng: np.random.Generator, *shape: int) -> tuple[Tensor, Tensor, Tensor]:
        """Draw state (*shape, E), the chunk (*shape, h, A) taken in it, spec's units, and the state after the chunk."""
        start = self.windows[self._on_device(rng.integers(len(self.windows), size=shape))]
        state, actions = self.recorded(start)
        return state, actions, self.states[start + self.config.chunk]

    def recorded(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        """The state (..., E) of the frames `windows` (...), and the chunk (..., h, A) taken there, spec's units."""
        ticks = torch.arange(self.config.chunk, device=self.device)
        return self.states[windows], self._actions[windows.unsqueeze(-1) + ticks]

    def rewarded(self, rng: np.random.Generator, *shape: int) -> tuple[Tensor, Tensor]:
        """Draw labelled state (*shape, E) and its reward (*shape,): on arrival, so the label of the frame before."""
        frame = self._labelled[self._on_device(rng.integers(len(self._labelled), size=shape))]
        return self.states[frame + 1], self._rewards[frame]

    def _future(self, frames: np.ndarray, ended: np.ndarray) -> Tensor:
        """The states of frames (B,) with their terminal bits (B, E+1)."""
        bit = self._on_device(np.where(ended, np.float32(1.0), np.float32(-1.0)))
        return torch.cat([self.states[self._on_device(frames)], bit.unsqueeze(1)], dim=1)

    def _driver(self, rng: np.random.Generator, drawn: Pairs | Hops, reader: Occupancy | None) -> Tensor:
        """The behavior of B rows: its index (B,), or φ (B, P) where a reader takes it from motion."""
        behavior = self._on_device(drawn.behavior)
        if reader is None or reader.motion is None or self._motions is None:
            return behavior
        motions = self._motions.draw(rng, drawn.index)
        policy = reader.motion(self._on_device(motions.traits), self._on_device(motions.count))
        return reader.hidden(policy, self._on_device(motions.count == 0))

    def _on_device(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(self.device)


def _windows(dataset: Dataset, chunk: int) -> np.ndarray:
    """Frames (W,) from which `chunk` actions in a row are known; none crosses an episode, whose last frame has none."""
    known = np.concatenate([[0], np.cumsum(dataset.action_mask)])
    starts = np.flatnonzero(known[chunk:] - known[:-chunk] == chunk)
    if not len(starts):
        raise DatasetError(
            f"expected an episode with {chunk} known actions in a row, found none; record actions, lower 'chunk', or, "
            "for values alone, convert anew with a spec that says action: []"
        )
    return starts
