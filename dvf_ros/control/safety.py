"""What a spec allows of commands, by numbers alone: finite, within limits and rates; and what a stop sends."""

from __future__ import annotations

import numpy as np

from dvf_ros.core.spec import Source

SHORTEST = 0.1
"""Norm of a quaternion that still says which rotation is meant."""
ROUNDING = 1e-9
"""What a norm of 1 may be off by."""


class UnsafeAction(ValueError):
    """An action that cannot be made safe by clamping: a number is NaN or Inf."""


class CommandLimits:
    """What a spec allows of commands on the topics `sources`, and what a stop sends there; A numbers in all."""

    def __init__(self, sources: tuple[Source, ...]) -> None:
        fields = [item for source in sources for item in source.fields]
        self.names = tuple(name for item in fields for name in item.element_names)
        self.max_rate = np.array([value for item in fields for value in item.max_rate])
        self.max_acceleration = np.array([value for item in fields for value in item.max_acceleration])
        self.lower = np.array([value for item in fields for value in item.lower])
        self.upper = np.array([value for item in fields for value in item.upper])
        self.rest = np.clip(0.0, self.lower, self.upper)
        ends = zip(np.cumsum([item.size for item in fields]).tolist(), fields, strict=True)
        self.rotations = [slice(end - item.size, end) for end, item in ends if item.kind == "quaternion"]
        modes = np.array([item.stop_mode for item in fields for _ in range(item.size)])
        self.targets = np.array([bool(item.follows) for item in fields for _ in range(item.size)])
        self.hold, self._decelerate, self._zero = modes == "hold", modes == "decelerate", modes == "zero"

    def check_finite(self, action: np.ndarray) -> None:
        """Raise UnsafeAction, naming the numbers, where `action` (A,) is not finite."""
        if not np.isfinite(action).all():
            bad = [name for name, value in zip(self.names, action, strict=True) if not np.isfinite(value)]
            raise UnsafeAction(f"action is not finite: {', '.join(bad)}")

    def clamp(self, action: np.ndarray, previous: np.ndarray, step: np.ndarray) -> np.ndarray:
        """(A,) `action`, at most `step` (A,) from `previous` (A,; NaN: unknown), and never over a limit.

        However far it is, what stops by `zero` may go to rest at once: that is how it stops.
        """
        safe = np.asarray(action, np.float64).copy()
        known = np.isfinite(previous) & ~(self._zero & (safe == self.rest))
        safe[known] = np.clip(safe[known], (previous - step)[known], (previous + step)[known])
        # Limits come last, so that nothing over a limit is ever sent.
        return np.clip(safe, self.lower, self.upper)

    def facing(self, action: np.ndarray, other: np.ndarray) -> np.ndarray:
        """(A,) the same rotations by those of their two quaternions that lie nearer to `other` (A,; NaN: unknown)."""
        turned = np.array(action, np.float64)
        for place in self.rotations:
            if turned[place] @ other[place] < 0.0:
                turned[place] *= -1.0
        return turned

    def unit(self, action: np.ndarray) -> np.ndarray:
        """(A,) whose quaternions have unit length, which clamping by numbers does not keep, as far as limits allow.

        One that is next to nothing stays as it is.
        """
        turned = np.array(action, np.float64)
        for place in self.rotations:
            length = float(np.linalg.norm(turned[place]))
            if length >= SHORTEST and abs(length - 1.0) > ROUNDING:
                turned[place] = np.clip(turned[place] / length, self.lower[place], self.upper[place])
        return turned

    def changed(self, action: np.ndarray, safe: np.ndarray) -> tuple[str, ...]:
        """The names of the numbers that clamping changed; a rotation's other quaternion is no change."""
        flags = np.abs(safe - self.facing(action, safe)) > 1e-9
        return tuple(name for name, flag in zip(self.names, flags, strict=True) if flag)

    def stop_action(self, previous: np.ndarray | None, seconds: float = np.inf) -> np.ndarray:
        """(A,) what a stop sends, `seconds` after `previous` was sent.

        `zero`: rest. `hold`: the previous value, NaN where there is none. `decelerate`: towards rest by max_rate.
        """
        known = np.full(len(self.lower), np.nan) if previous is None else previous
        slowing = np.where(self._decelerate & np.isfinite(known), known - self.rest, 0.0)
        most = np.where(self._decelerate, self.max_rate, 0.0) * min(seconds, 1e9)
        slower = self.rest + np.sign(slowing) * np.maximum(np.abs(slowing) - most, 0.0)
        return np.where(self.hold, known, slower)

    def at_rest(self, action: np.ndarray) -> bool:
        """Whether a stop that sent `action` (A,) has nothing left to slow down."""
        return bool((~self._decelerate | ~np.isfinite(action) | (action == self.rest)).all())


def braking_step(distance: np.ndarray, deceleration: np.ndarray) -> np.ndarray:
    """The longest step towards an end at `distance`, if each later step may be shorter by at most `deceleration`.

    With k = floor(sqrt(1/4 + 2 d/a) - 1/2) later steps, each shorter by a, the steps add up to d exactly.
    """
    distance = np.maximum(distance, 0.0)
    bounded = np.isfinite(deceleration) & np.isfinite(distance)
    d, a = np.where(bounded, distance, 0.0), np.where(bounded, deceleration, 1.0)
    later = np.floor(np.sqrt(0.25 + 2 * d / a) - 0.5)
    return np.where(bounded, d / (later + 1) + a * later / 2, distance)
