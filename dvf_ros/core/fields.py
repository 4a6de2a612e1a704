"""One quantity of a message, and what may be commanded of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from dvf_ros.core.parsing import ConfigError

Kind = Literal["scalar", "vector", "quaternion", "joints", "array"]
StopMode = Literal["zero", "hold", "decelerate"]

LARGEST = 4096
"""Numbers in a field; more is a slip of the keyboard, and would only be noticed when memory is gone."""

FIXED_SIZES = {"scalar": 1, "vector": 3, "quaternion": 4}
AXES = {"vector": ("x", "y", "z"), "quaternion": ("x", "y", "z", "w")}


@dataclass(frozen=True)
class Field:
    """One quantity of a message.

    `path` walks from the message to the value (`pose.position`, `data[2]`). A `vector` has x, y, z; a `quaternion`
    x, y, z, w; `joints` picks the named joints out of a JointState's parallel arrays; an `array` has `size` numbers.
    Limits, `max_rate` (unit per second), `max_acceleration` (unit per second squared) and `stop_mode` are for actions:
    they bound what is ever sent, and say what a stop sends. An action that is a target for a state field `follows` it;
    one that is a state field's rate of change `moves` it, and never out of that field's limits. A state field, or one
    joint of it, that keeps its very bits for `frozen_after` seconds while commands move is a dead sensor (0: it may).

    What does not show in `repr` says nothing about the meaning of data, and is no part of the digest.
    """

    name: str
    path: str
    kind: Kind = "scalar"
    joints: tuple[str, ...] = ()
    size: int = 0
    unit: str = "1"
    lower: tuple[float, ...] = ()
    upper: tuple[float, ...] = ()
    max_rate: tuple[float, ...] = ()
    stop_mode: StopMode = "zero"
    max_acceleration: tuple[float, ...] = field(default=(), repr=False)
    follows: str = field(default="", repr=False)
    moves: str = field(default="", repr=False)
    frozen_after: float = field(default=0.0, repr=False)

    def __post_init__(self) -> None:
        size = FIXED_SIZES.get(self.kind) or (len(self.joints) if self.kind == "joints" else self.size)
        if not 1 <= size <= LARGEST:
            need = "joints: [names]" if self.kind == "joints" else f"size: (1 to {LARGEST})"
            raise ConfigError(f"field '{self.name}' of kind '{self.kind}' needs {need}")
        if self.joints and self.kind != "joints":
            raise ConfigError(f"field '{self.name}' names joints but is of kind '{self.kind}'; write kind: joints")
        if len(set(self.joints)) != len(self.joints):
            raise ConfigError(f"field '{self.name}' names a joint twice")
        object.__setattr__(self, "size", size)
        for key, default in (
            ("lower", -np.inf),
            ("upper", np.inf),
            ("max_rate", np.inf),
            ("max_acceleration", np.inf),
        ):
            values = getattr(self, key)
            if len(values) not in (0, size):
                raise ConfigError(f"field '{self.name}': expected {size} numbers in '{key}', found {len(values)}")
            if any(np.isnan(value) or (key.startswith("max") and value <= 0) for value in values):
                raise ConfigError(f"field '{self.name}': expected numbers{' > 0' * key.startswith('max')} in '{key}'")
            object.__setattr__(self, key, tuple(values) or (default,) * size)
        if any(low > high for low, high in zip(self.lower, self.upper, strict=True)):
            raise ConfigError(f"field '{self.name}': a lower limit lies above its upper limit")
        if self.stop_mode == "decelerate" and not np.isfinite(self.max_rate).all():
            raise ConfigError(f"field '{self.name}': stop_mode decelerate needs a max_rate to slow down by")
        if self.follows and (self.moves or self.stop_mode != "hold"):
            raise ConfigError(f"field '{self.name}' follows '{self.follows}': write stop_mode: hold, and no 'moves'")
        if not 0 <= self.frozen_after < np.inf:
            raise ConfigError(f"field '{self.name}': expected frozen_after >= 0 s, found {self.frozen_after}")

    @property
    def element_names(self) -> tuple[str, ...]:
        """A name for each number of the field, e.g. `eef_position.x`, `joint_position.panda_joint1`."""
        if self.kind == "scalar":
            return (self.name,)
        parts = AXES.get(self.kind) or self.joints or tuple(str(i) for i in range(self.size))
        return tuple(f"{self.name}.{part}" for part in parts)
