"""The last look at a command before it leaves: finite, within limits, within rates, and not out of the workspace."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dvf_ros.core.spec import FieldSlice, RobotSpec


@dataclass(frozen=True)
class Filtered:
    """A safe action (A,) and the names of the numbers that had to be clamped."""

    action: np.ndarray
    clamped: tuple[str, ...]


class UnsafeAction(ValueError):
    """An action that cannot be made safe by clamping: a number is NaN or Inf."""


class SafetyFilter:
    """Bounds every action by the spec, judged against the present state."""

    def __init__(self, spec: RobotSpec) -> None:
        self._spec = spec
        self._lower = spec.action_lower
        self._upper = spec.action_upper
        self._step = spec.action_max_rate / spec.rate
        self._hold = np.array(
            [item.stop_mode == "hold" for source in spec.action for item in source.fields for _ in range(item.size)]
        )
        if spec.workspace:
            self._position = _slice_of(spec.state_layout, spec.workspace.position)
            self._velocity = _slice_of(spec.action_layout, spec.workspace.velocity)

    def apply(self, action: np.ndarray, state: np.ndarray, previous: np.ndarray | None) -> Filtered:
        """Clamp `action` (A,) given the measured `state` (D,) and the `previous` command (A,), if there is one.

        Limits come last, so that nothing over a limit is ever sent. Raises UnsafeAction for a number that is not
        finite.
        """
        if not np.isfinite(action).all():
            bad = [name for name, value in zip(self._spec.action_names, action, strict=True) if not np.isfinite(value)]
            raise UnsafeAction(f"action is not finite: {', '.join(bad)}")
        safe = np.asarray(action, np.float64).copy()
        if self._spec.workspace:
            safe[self._velocity] = self._stay_inside(safe[self._velocity], state[self._position])
        if previous is not None:
            known = np.isfinite(previous)
            safe[known] = np.clip(safe[known], (previous - self._step)[known], (previous + self._step)[known])
        safe = np.clip(safe, self._lower, self._upper)
        changed = np.abs(safe - action) > 1e-9
        return Filtered(safe, tuple(name for name, flag in zip(self._spec.action_names, changed, strict=True) if flag))

    def stop_action(self, previous: np.ndarray | None) -> np.ndarray:
        """(A,) what a stop sends: zero, or the previous value where the spec says `hold` (NaN where there is none)."""
        held = np.full(len(self._lower), np.nan) if previous is None else previous
        return np.where(self._hold, held, np.clip(0.0, self._lower, self._upper))

    def _stay_inside(self, velocity: np.ndarray, position: np.ndarray) -> np.ndarray:
        # The speed that would reach the wall within one period is the most that is allowed towards it; beyond the
        # wall only inward motion (or none) is.
        box = self._spec.workspace
        assert box is not None
        inward_only_up = np.maximum((np.array(box.upper) - position) * self._spec.rate, 0.0)
        inward_only_down = np.minimum((np.array(box.lower) - position) * self._spec.rate, 0.0)
        return np.clip(velocity, inward_only_down, inward_only_up)


def _slice_of(layout: tuple[FieldSlice, ...], name: str) -> slice:
    piece = next(piece for piece in layout if piece.name == name)
    return slice(piece.start, piece.stop)
