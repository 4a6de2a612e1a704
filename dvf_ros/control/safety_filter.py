"""Bound an action by the spec, judged against the measured state and against what was commanded before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dvf_ros.control.safety import SHORTEST, CommandLimits, UnsafeAction, braking_step
from dvf_ros.core.fields import Field
from dvf_ros.core.spec import FieldSlice, RobotSpec, Workspace

LEAD = 0.5
"""s. A target further ahead of the robot than it could go in this time belongs to a robot that is blocked."""

FIRST_TARGETS = 3
"""How many targets after a stop are the measured value: whoever listens may lose the first."""

HELD_TARGETS = 3
"""How often a stop says the last target again. Then it is silent: somebody may move the robot away from there."""


@dataclass(frozen=True)
class Filtered:
    """A safe action (A,), the names of the numbers that had to be clamped, and whether it asks for any motion."""

    action: np.ndarray
    clamped: tuple[str, ...]
    moves: bool


@dataclass(frozen=True)
class _Box:
    """The numbers `rate` of the action move the numbers `position` of the state, which stay in [lower, upper]."""

    position: slice
    rate: slice
    lower: np.ndarray
    upper: np.ndarray


class SafetyFilter:
    """Remembers the last command, so that the next one keeps the rates; `limits` are those of the spec's actions."""

    def __init__(self, spec: RobotSpec) -> None:
        self.limits = CommandLimits(spec.action)
        self._period = 1 / spec.rate
        actions = {item.name: item for source in spec.action for item in source.fields}
        states = {item.name: item for source in spec.state for item in source.fields}
        self._boxes = [_box(spec, item.moves, name, states[item.moves]) for name, item in actions.items() if item.moves]
        if spec.workspace:
            self._boxes.append(_box(spec, spec.workspace.position, spec.workspace.velocity, spec.workspace))
        self._targets = [
            (_slice_of(spec.action_layout, name), _slice_of(spec.state_layout, item.follows))
            for name, item in actions.items()
            if item.follows
        ]
        self.forget()

    def forget(self) -> None:
        """The last command tells nothing any more: the next one starts from rest, a target from where the robot is."""
        self._previous = np.where(self.limits.hold, np.nan, self.limits.rest)
        self._step = np.zeros(len(self._previous))
        self._before = self._previous
        self._stopped, self._standing = True, np.full(len(self._previous), FIRST_TARGETS)
        self._held = 0

    def lose_track(self) -> None:
        """Nobody knows any more where the robot is: no target of before is held or gone on from."""
        self._previous = self._before = np.where(self.limits.targets, np.nan, self._previous)
        self._standing[:] = FIRST_TARGETS

    def withdraw(self) -> None:
        """The last command was not sent: the one before counts. For what stops afterwards, which needs no more."""
        self._previous = self._before

    def unheard(self, numbers: np.ndarray) -> None:
        """Nobody listened to these `numbers` (A,) bool of the last command: the next targets are the first again."""
        self._standing[numbers] = FIRST_TARGETS

    def apply(self, action: np.ndarray, state: np.ndarray) -> Filtered:
        """Clamp `action` (A,) given the measured `state` (D,); the first targets after a stop are the measured value.

        Quaternions keep unit length, whatever is clamped, and go the shorter way. Raises UnsafeAction for a number that
        is not finite, and for a quaternion that is next to nothing.
        """
        self.limits.check_finite(action)
        self._check_rotations(action)
        measured = np.full(len(action), np.nan)
        for mine, its in self._targets:
            measured[mine] = state[its]
        measured = self.limits.unit(self.limits.facing(measured, self._previous))
        action = self.limits.facing(self.limits.unit(action), np.where(np.isfinite(measured), measured, self._previous))
        wanted = action.copy()
        for mine, _ in self._targets:
            if self._standing[mine].any():
                self._previous[mine] = wanted[mine] = measured[mine]
                self._step[mine] = 0.0
            lead = self.limits.max_rate[mine] * LEAD
            wanted[mine] = np.clip(wanted[mine], measured[mine] - lead, measured[mine] + lead)
        wanted = self._keep_rates(wanted)
        for box in self._boxes:
            # Last but for the limits: an end that comes closer than braking allows for is still an end.
            wanted[box.rate] = self._stay_inside(box, wanted[box.rate], state[box.position])
        safe = self.limits.unit(np.clip(wanted, self.limits.lower, self.limits.upper))
        clamped = self.limits.changed(action, safe)
        self._step = np.nan_to_num(safe - self._previous)
        still = np.where(self.limits.hold, self._step == 0, safe == self.limits.rest)
        self._before = self._previous
        self._previous, self._stopped, self._held = safe, False, 0
        self._standing = np.maximum(self._standing - 1, 0)
        return Filtered(safe, clamped, moves=not still.all())

    def stop(self, at_once: bool = False) -> np.ndarray:
        """(A,) the command of a stop: as the spec's stop modes say, without slowing down gently if `at_once`.

        NaN where there is nothing to say: a target of before is held a few times only.
        """
        self._previous = self.limits.stop_action(self._previous, np.inf if at_once else self._period)
        self._step = np.zeros(len(self._previous))
        self._stopped, self._standing[:] = True, FIRST_TARGETS
        if self.at_rest:
            self._held += 1
        if self._held > HELD_TARGETS:
            self.lose_track()
        return self._previous.copy()

    @property
    def at_rest(self) -> bool:
        """Whether a further stop would change nothing."""
        return self._stopped and self.limits.at_rest(self._previous)

    def _check_rotations(self, action: np.ndarray) -> None:
        for place in self.limits.rotations:
            length = float(np.linalg.norm(action[place]))
            if length < SHORTEST:
                names = ", ".join(self.limits.names[place])
                raise UnsafeAction(f"expected a rotation in {names}, found a quaternion of norm {length:.2g}")

    def _keep_rates(self, wanted: np.ndarray) -> np.ndarray:
        rate, acceleration = self.limits.max_rate * self._period, self.limits.max_acceleration * self._period**2
        known = np.isfinite(self._previous)
        before = np.where(known, self._previous, wanted)
        up = np.minimum(rate, self._step + acceleration)
        down = np.minimum(rate, acceleration - self._step)
        # A change that may end only slowly has to begin to end before the limit.
        up = np.minimum(up, braking_step(self.limits.upper - before, acceleration))
        down = np.minimum(down, braking_step(before - self.limits.lower, acceleration))
        return np.minimum(np.maximum(wanted, before - down), before + up)

    def _stay_inside(self, box: _Box, rate: np.ndarray, position: np.ndarray) -> np.ndarray:
        # The rate from which max_rate still brings it to rest at the wall is the most that is allowed towards it;
        # beyond the wall only inward motion (or none) is.
        brake = self.limits.max_rate[box.rate] * self._period**2
        return np.clip(
            rate,
            -braking_step(position - box.lower, brake) / self._period,
            braking_step(box.upper - position, brake) / self._period,
        )


def _box(spec: RobotSpec, position: str, rate: str, limits: Field | Workspace) -> _Box:
    return _Box(
        _slice_of(spec.state_layout, position),
        _slice_of(spec.action_layout, rate),
        np.array(limits.lower),
        np.array(limits.upper),
    )


def _slice_of(layout: tuple[FieldSlice, ...], name: str) -> slice:
    piece = next(piece for piece in layout if piece.name == name)
    return slice(piece.start, piece.stop)
