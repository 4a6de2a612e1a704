"""A place as a goal: which field of the state is to be brought there, and the reward that says so."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dvf_ros.core.parsing import nearest
from dvf_ros.core.spec import RobotSpec, Workspace

DECIMALS = 5
"""Of a place in m, wherever it lies: a tenth of a millimetre counts as much far from the origin as close to it."""


class GoalError(ValueError):
    """A goal that cannot be meant; says what was expected and found."""


def positions(spec: RobotSpec) -> tuple[str, ...]:
    """Names of the state's fields that are places: vectors in metres."""
    fields = [item for source in spec.state for item in source.fields]
    return tuple(item.name for item in fields if item.kind == "vector" and item.unit == "m")


def goal_field(spec: RobotSpec, wanted: str) -> str:
    """The position field that goals are for: `wanted`, or by itself (empty) an object's, or else the end effector's.

    Raises GoalError where there is no such field.
    """
    known = positions(spec)
    if wanted and wanted not in known:
        raise GoalError(f"expected a position in the state (a vector in m), found '{wanted}'; {nearest(wanted, known)}")
    if not known:
        raise GoalError("the state has no position (a vector in m), so nothing can be brought anywhere")
    own = spec.workspace.position if spec.workspace else ""
    return wanted or next((name for name in known if name != own), known[0])


def source_of(spec: RobotSpec, name: str) -> str:
    """The key of the source that reports a state field."""
    return next(source.key for source in spec.state for item in source.fields if item.name == name)


def goal_reward(field: str, place: Sequence[float], reach: float, box: Workspace | None = None) -> str:
    """The expression that rewards the field's nearness to `place` (x, y, z in m): 1 there, 1/e at `reach` m from it.

    Raises GoalError for a place that is not finite, or outside of the `box`.
    """
    point = np.asarray(place, np.float64)
    if not np.isfinite(point).all():
        raise GoalError(f"expected finite numbers, found {point.tolist()}")
    if box and not ((point >= box.lower) & (point <= box.upper)).all():
        raise GoalError(
            f"expected a place in the workspace, {list(box.lower)} to {list(box.upper)} m, found {point.tolist()}"
        )
    numbers = ", ".join(np.format_float_positional(number, precision=DECIMALS, trim="-") for number in point)
    return f"exp(-distance({field}, [{numbers}]) / {reach:g})"
