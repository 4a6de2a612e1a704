"""Five tasks for a hand that has only ever played: a reward that somebody wrote, and what counts as done."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dvf_ros.core.expression import Expression
from dvf_ros.core.expression_parsing import parse_expression
from dvf_ros.core.spec import RobotSpec
from dvf_ros.sim.behaviors import CUBE_ON_TABLE
from dvf_ros.sim.play import LOWER, UPPER

HOLD = 10
"""Steps (half a second) in a row that a goal has to be kept for; a cube that flies past is no success."""

NEAR = 0.05
"""m, how close to a place counts as there."""

MOVED = 0.1
"""m, how far a drawn place is at least from where the cube starts."""

BEYOND = 0.03
"""m, for how much further a cube's height is rewarded than has to be reached."""

REACH = 0.1
"""m, at which a written reward falls to 1/e: it tells near from very near and still leads from afar."""


@dataclass(frozen=True)
class Goal:
    """Both texts are expressions over the fields of `config/panda_play.yaml`: m, world frame."""

    name: str
    reward: str
    done: str

    def expressions(self, spec: RobotSpec) -> tuple[Expression, Expression]:
        """The reward, and the condition for being done."""
        return parse_expression(self.reward, spec), parse_expression(self.done, spec)


def _place(name: str, field: str, place: tuple[float, float, float]) -> Goal:
    distance = f"distance({field}, {list(place)})"
    return Goal(name, f"exp(-{distance} / {REACH})", f"{distance} < {NEAR}")


GOALS = (
    _place("cube to the left", "cube_position", (0.05, 0.15, 0.822)),
    _place("cube to the right", "cube_position", (-0.1, -0.13, 0.822)),
    _place("gripper to a place", "eef_position", (0.1, -0.12, 0.98)),
    Goal("cube high", "clip((cube_position.z - 0.822) / 0.2, 0, 1)", "cube_position.z > 0.99"),
    _place("cube held over a spot", "cube_position", (0.06, -0.12, 0.95)),
)


def drawn_goals(seed: int) -> tuple[Goal, ...]:
    """Goals of the same kinds as GOALS, at places that chance puts among those of play.

    No place is within MOVED of the table's centre, where the cube starts: it would be done before anything was.
    """
    rng = np.random.default_rng(seed)

    def drawn(lowest: float, highest: float) -> tuple[float, float, float]:
        while np.linalg.norm(place := rng.uniform(LOWER, UPPER)) < MOVED:
            pass
        x, y, z = (round(float(value), 3) for value in (*place, rng.uniform(lowest, highest)))
        return x, y, z

    on_table = (CUBE_ON_TABLE, CUBE_ON_TABLE)
    first, second, hand, spot = drawn(*on_table), drawn(*on_table), drawn(0.9, 1.05), drawn(0.9, 1.0)
    height = round(float(rng.uniform(0.95, 1.05)), 3)
    rise = f"(cube_position.z - {CUBE_ON_TABLE}) / {height + BEYOND - CUBE_ON_TABLE:.3f}"
    return (
        _place("cube to a drawn place", "cube_position", first),
        _place("cube to another one", "cube_position", second),
        _place("gripper to a drawn place", "eef_position", hand),
        Goal("cube as high as drawn", f"clip({rise}, 0, 1)", f"cube_position.z > {height}"),
        _place("cube held over a drawn spot", "cube_position", spot),
    )


def kept(successes: np.ndarray) -> bool:
    """Whether successes (T,) hold for HOLD steps in a row."""
    return bool((np.convolve(successes, np.ones(HOLD), "valid") == HOLD).any())
