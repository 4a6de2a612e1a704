"""From the spec's state vector to what the models see, and back: quaternions as 6D, everything normalised."""

from __future__ import annotations

from collections.abc import Container, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import torch
from pytorch3d.transforms import (
    matrix_to_quaternion,
    matrix_to_rotation_6d,
    quaternion_to_matrix,
    rotation_6d_to_matrix,
)
from torch import Tensor, nn

from dvf_ros.core.parsing import ConfigError
from dvf_ros.core.spec import FieldSlice, RobotSpec
from dvf_ros.data.normalization import Normalization

ROTATION_SIZE = 6
SMALLEST_ROTATION_SCALE = 0.05  # a wrist that hardly turned in the data must not blow up when it does
SMALLEST_QUATERNION = 1e-6


class StateEncoder(nn.Module):
    """Raw states (..., D) <-> model space (..., E), E = D + 2 per quaternion, and 3 per pair if `relative`.

    A quaternion xyzw becomes the first two rows of its rotation matrix (Zhou et al. 2019), so that q and -q are one
    point and averages make sense; decoding makes the rows orthonormal again. With `relative` come the differences of
    any two positions (vectors of 3 m): where two things meet, a millimetre counts that a net does not see in two
    numbers whose scale is the whole room. Decoding has no use for them. Raises ConfigError where there are no two.
    """

    mean: Tensor
    scale: Tensor
    lowest: Tensor  # model-space states lay between these in the data; both are 0 where nobody knows
    highest: Tensor

    def __init__(self, layout: Sequence[FieldSlice], relative: bool = False) -> None:
        super().__init__()
        self.layout = tuple(layout)
        positions = [piece for piece in self.layout if _is_position(piece)] if relative else []
        if relative and len(positions) < 2:
            raise ConfigError(
                "'relative_positions': expected two positions in the state at least (kind: vector of three numbers, "
                f"unit: m), found {len(positions)}; write the units into the robot spec and convert anew, or train "
                "without"
            )
        self._pairs = tuple(combinations(positions, 2))
        self.size = sum(ROTATION_SIZE if _is_rotation(piece) else piece.stop - piece.start for piece in self.layout)
        self.size += 3 * len(self._pairs)
        self.register_buffer("mean", torch.zeros(self.size))
        self.register_buffer("scale", torch.ones(self.size))
        self.register_buffer("lowest", torch.zeros(self.size))
        self.register_buffer("highest", torch.zeros(self.size))

    def fit(self, states: np.ndarray) -> None:
        """Take mean, scale and range of states (F, D); raises ValueError for numbers that are not finite."""
        features = self._expand(torch.from_numpy(np.array(states, np.float32)))
        found = Normalization.fit(features.numpy())
        scale = torch.from_numpy(found.scale)
        start = 0
        for piece in self.layout:
            stop = start + (ROTATION_SIZE if _is_rotation(piece) else piece.stop - piece.start)
            if _is_rotation(piece):
                scale[start:stop].clamp_(min=SMALLEST_ROTATION_SCALE)
            start = stop
        self.mean.copy_(torch.from_numpy(found.mean))
        self.scale.copy_(scale)
        for edge, recorded in ((self.lowest, features.amin(dim=0)), (self.highest, features.amax(dim=0))):
            edge.copy_((recorded - self.mean) / self.scale)

    def encode(self, states: Tensor) -> Tensor:
        """Model space (..., E) of raw states (..., D); raises ValueError for a quaternion of length zero."""
        return (self._expand(states) - self.mean) / self.scale

    def decode(self, encoded: Tensor, fields: Container[str] | None = None) -> Tensor:
        """Raw states (..., D) of model-space states (..., E); quaternions are of unit length, w >= 0.

        `fields`, where given, are the only ones that anybody asks for: the others are NaN, which costs nothing.
        """
        features = encoded * self.scale + self.mean
        parts = []
        start = 0
        for piece in self.layout:
            stop = start + (ROTATION_SIZE if _is_rotation(piece) else piece.stop - piece.start)
            part = features[..., start:stop]
            if fields is not None and piece.name not in fields:
                part = part.new_full((*part.shape[:-1], piece.stop - piece.start), torch.nan)
            elif _is_rotation(piece):
                wxyz = matrix_to_quaternion(rotation_6d_to_matrix(part))
                wxyz = torch.where(wxyz[..., :1] < 0, -wxyz, wxyz)
                part = wxyz[..., [1, 2, 3, 0]]
            parts.append(part)
            start = stop
        return torch.cat(parts, dim=-1)

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *others: Any) -> None:
        """Checkpoints of earlier versions do not know how far their data reached."""
        for name in ("lowest", "highest"):
            state_dict.setdefault(prefix + name, torch.zeros(self.size))
        super()._load_from_state_dict(state_dict, prefix, *others)

    def _expand(self, states: Tensor) -> Tensor:
        rotations = iter(self._rotations(states))
        parts = [
            next(rotations) if _is_rotation(piece) else states[..., piece.start : piece.stop] for piece in self.layout
        ]
        parts += [
            states[..., other.start : other.stop] - states[..., one.start : one.stop] for one, other in self._pairs
        ]
        return torch.cat(parts, dim=-1)

    def _rotations(self, states: Tensor) -> tuple[Tensor, ...]:
        """6D (..., 6) of each quaternion in states (..., D): all at once, since a single state is all overhead."""
        pieces = [piece for piece in self.layout if _is_rotation(piece)]
        if not pieces:
            return ()
        xyzw = torch.stack([states[..., piece.start : piece.stop] for piece in pieces])
        for piece, unknown in zip(pieces, xyzw.norm(dim=-1) < SMALLEST_QUATERNION, strict=True):
            if unknown.any():
                raise ValueError(
                    f"'{piece.name}': expected quaternions xyzw, found one of length zero; "
                    "drop the frames in which the rotation is not known"
                )
        return matrix_to_rotation_6d(quaternion_to_matrix(xyzw[..., [3, 0, 1, 2]])).unbind()


def _is_rotation(piece: FieldSlice) -> bool:
    return piece.kind == "quaternion"


def _is_position(piece: FieldSlice) -> bool:
    return piece.kind == "vector" and piece.unit == "m" and piece.stop - piece.start == 3


def checked_state(spec: RobotSpec, state: np.ndarray) -> np.ndarray:
    """The state (D,) float32; raises ValueError for one of another shape or with numbers that are not finite."""
    state = np.asarray(state, np.float32)
    if state.shape != (spec.state_size,):
        raise ValueError(f"expected a state of shape ({spec.state_size},), found {state.shape}")
    if not np.isfinite(state).all():
        names = [name for name, number in zip(spec.state_names, state, strict=True) if not np.isfinite(number)]
        raise ValueError(f"expected finite numbers in the state, found NaN or Inf in {', '.join(names)}")
    return state
