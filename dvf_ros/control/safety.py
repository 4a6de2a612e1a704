"""The last look at a command before it leaves: finite, within limits, within rates, and not out of the workspace."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dvf_ros.core.spec import FieldSlice, RobotSpec, Source


@dataclass(frozen=True)
class Filtered:
    """A safe action (A,) and the names of the numbers that had to be clamped."""

    action: np.ndarray
    clamped: tuple[str, ...]


class UnsafeAction(ValueError):
    """An action that cannot be made safe by clamping: a number is NaN or Inf."""


class CommandLimits:
    """What a spec allows of commands on the topics `sources`, and what a stop sends there; A numbers in all."""

    def __init__(self, sources: tuple[Source, ...]) -> None:
        fields = [item for source in sources for item in source.fields]
        self.names = tuple(name for item in fields for name in item.element_names)
        self.max_rate = np.array([value for item in fields for value in item.max_rate])
        self._lower = np.array([value for item in fields for value in item.lower])
        self._upper = np.array([value for item in fields for value in item.upper])
        self._hold = np.array([item.stop_mode == "hold" for item in fields for _ in range(item.size)])

    def check_finite(self, action: np.ndarray) -> None:
        """Raise UnsafeAction, naming the numbers, where `action` (A,) is not finite."""
        if not np.isfinite(action).all():
            bad = [name for name, value in zip(self.names, action, strict=True) if not np.isfinite(value)]
            raise UnsafeAction(f"action is not finite: {', '.join(bad)}")

    def clamp(self, action: np.ndarray, previous: np.ndarray, step: np.ndarray) -> np.ndarray:
        """(A,) `action`, at most `step` (A,) from `previous` (A,; NaN: unknown), and never over a limit."""
        safe = np.asarray(action, np.float64).copy()
        known = np.isfinite(previous)
        safe[known] = np.clip(safe[known], (previous - step)[known], (previous + step)[known])
        # Limits come last, so that nothing over a limit is ever sent.
        return np.clip(safe, self._lower, self._upper)

    def changed(self, action: np.ndarray, safe: np.ndarray) -> tuple[str, ...]:
        """The names of the numbers that clamping changed."""
        flags = np.abs(safe - action) > 1e-9
        return tuple(name for name, flag in zip(self.names, flags, strict=True) if flag)

    def stop_action(self, previous: np.ndarray | None) -> np.ndarray:
        """(A,) what a stop sends: zero, or the previous value where the spec says `hold` (NaN where there is none)."""
        held = np.full(len(self._lower), np.nan) if previous is None else previous
        return np.where(self._hold, held, np.clip(0.0, self._lower, self._upper))


class SafetyFilter:
    """Bounds every action by the spec, judged against the present state."""

    def __init__(self, spec: RobotSpec) -> None:
        self._spec = spec
        self._limits = CommandLimits(spec.action)
        self._step = spec.action_max_rate / spec.rate
        if spec.workspace:
            self._position = _slice_of(spec.state_layout, spec.workspace.position)
            self._velocity = _slice_of(spec.action_layout, spec.workspace.velocity)

    def apply(self, action: np.ndarray, state: np.ndarray, previous: np.ndarray | None) -> Filtered:
        """Clamp `action` (A,) given the measured `state` (D,) and the `previous` command (A,), if there is one.

        Raises UnsafeAction for a number that is not finite.
        """
        self._limits.check_finite(action)
        wanted = np.asarray(action, np.float64).copy()
        if self._spec.workspace:
            wanted[self._velocity] = self._stay_inside(wanted[self._velocity], state[self._position])
        unknown = np.full(len(wanted), np.nan)
        safe = self._limits.clamp(wanted, unknown if previous is None else previous, self._step)
        return Filtered(safe, self._limits.changed(action, safe))

    def stop_action(self, previous: np.ndarray | None) -> np.ndarray:
        """(A,) what a stop sends, as `CommandLimits.stop_action` says."""
        return self._limits.stop_action(previous)

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
