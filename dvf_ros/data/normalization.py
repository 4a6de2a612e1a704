"""Mean and scale of each dimension, kept in the checkpoint so that training and robot agree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CONSTANT = 1e-4


@dataclass(frozen=True)
class Normalization:
    """`(x − mean) / scale`, per dimension (n,)."""

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def fit(cls, values: np.ndarray, block: int = 1 << 16) -> Normalization:
        """Statistics of `values` (F, n), read block by block.

        A dimension that (almost) never moves keeps scale 1: dividing by its noise would blow it up. Raises
        ValueError naming the first dimension with a number that is not finite.
        """
        total = np.zeros(values.shape[1])
        squares = np.zeros(values.shape[1])
        if not len(values):
            raise ValueError("expected at least one frame to normalise by, found none")
        shift = np.asarray(values[0], np.float64)
        for start in range(0, len(values), block):
            part = np.asarray(values[start : start + block], np.float64) - shift
            bad = ~np.isfinite(part).all(axis=0)
            if bad.any():
                raise ValueError(f"dimension {int(np.argmax(bad))} holds NaN or Inf in frames from {start} on")
            total += part.sum(axis=0)
            squares += np.square(part).sum(axis=0)
        mean = total / len(values)
        deviation = np.sqrt(np.maximum(squares / len(values) - np.square(mean), 0))
        scale = np.where(deviation < CONSTANT, 1.0, deviation)
        return cls((mean + shift).astype(np.float32), scale.astype(np.float32))
