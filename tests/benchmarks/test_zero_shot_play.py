"""The parts of the zero-shot benchmark that its figures rest on."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import zero_shot_episodes
from benchmarks.goals import GOALS, HOLD, drawn_goals, kept
from benchmarks.regressed_value import returns
from benchmarks.zero_shot_episodes import DVF, PRIOR, REGRESSED, Cell, regressed_path, success_bars, success_figures
from dvf_ros.core.spec import RobotSpec

LOW, HIGH = np.array([-0.18, -0.22, 0.822]), np.array([0.16, 0.22, 1.1])
"""m, what play covers."""
SPEC = RobotSpec.load("config/panda_play.yaml")


def state(**fields: list[float]) -> np.ndarray:
    made = SPEC.neutral_state
    for piece in SPEC.state_layout:
        if piece.name in fields:
            made[piece.start : piece.stop] = fields[piece.name]
    return made


def test_a_goal_counts_only_when_it_is_kept() -> None:
    passing = np.zeros(40, bool)
    passing[10 : 10 + HOLD - 1] = True
    passing[30:35] = True
    assert not kept(passing)
    passing[10 + HOLD - 1] = True
    assert kept(passing)


def test_where_a_goal_is_done_its_reward_is_higher_than_at_the_start_and_no_goal_is_done_there() -> None:
    start = state(cube_position=[0.0, 0.0, 0.822], eef_position=[-0.1, 0.0, 1.01])
    ends = [
        state(cube_position=[0.07, 0.13, 0.822]),
        state(cube_position=[-0.08, -0.12, 0.822]),
        state(eef_position=[0.11, -0.1, 0.97]),
        state(cube_position=[0.0, 0.0, 1.0]),
        state(cube_position=[0.05, -0.1, 0.94]),
    ]
    for goal, end in zip(GOALS, ends, strict=True):
        reward, done = goal.expressions(SPEC)
        assert done.evaluate(end) and not done.evaluate(start), goal.name
        assert reward.evaluate(end) > reward.evaluate(start) + 0.3, goal.name


def test_drawn_goals_are_within_play_and_nothing_that_the_start_has_done() -> None:
    for seed in range(20):
        goals = drawn_goals(seed)
        assert goals == drawn_goals(seed) and len({goal.name for goal in goals}) == 5
        start = state(cube_position=[0.03, -0.03, 0.822], eef_position=[-0.1, 0.0, 1.01])
        for goal in goals:
            reward, done = goal.expressions(SPEC)
            assert not done.evaluate(start), goal
            places = np.array([place for place in itertools.product(*np.linspace(LOW, HIGH, 28).T)], np.float32)
            states = np.repeat(start[None], len(places), axis=0)
            for piece in SPEC.state_layout:
                if piece.name in ("cube_position", "eef_position"):
                    states[:, piece.start : piece.stop] = places
            best = reward.evaluate(states).argmax()
            assert done.evaluate(states[best]), f"where {goal} is worth most it is done"


def test_a_cell_is_found_by_all_that_its_episode_depends_on(monkeypatch: pytest.MonkeyPatch) -> None:
    cell = Cell(REGRESSED, GOALS[0], 1, 200, Path("agent.yaml"), 4000)
    others = [
        replace(cell, controller=PRIOR),
        replace(cell, goal=GOALS[1]),
        replace(cell, seed=2),
        replace(cell, steps=100),
        replace(cell, regression_updates=2000),
    ]
    keys = {one.key for one in (cell, *others)}
    assert len(keys) == 6
    assert replace(cell, controller=PRIOR).key == replace(cell, controller=PRIOR, regression_updates=2000).key
    monkeypatch.setattr(zero_shot_episodes, "DECISION", replace(zero_shot_episodes.DECISION, futures=64))
    assert cell.key not in keys


def test_a_regressed_value_is_found_by_goal_agent_and_updates(tmp_path: Path) -> None:
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text("1"), second.write_text("2")
    paths = [
        regressed_path(checkpoint, goal, updates)
        for checkpoint in (first, second)
        for goal in GOALS[:2]
        for updates in (500, 4000)
    ]
    assert len(set(paths)) == len(paths) and {path.parent for path in paths} == {tmp_path}


def test_figures_count_goals_that_were_kept_and_bars_need_the_agent() -> None:
    cells = [Cell(name, goal, 0, 200, Path()) for name in (DVF, PRIOR) for goal in GOALS]
    won = {"kept": True, "ever": True, "last": True}
    outcomes = [
        (cell, won if cell.controller == DVF or cell.goal == GOALS[0] else won | {"kept": False}) for cell in cells
    ]
    figures = success_figures(outcomes)
    assert figures[DVF]["success"] == 1.0 and figures[PRIOR]["success"] == pytest.approx(0.2)
    assert figures[PRIOR]["by_goal"] == {goal.name: float(goal == GOALS[0]) for goal in GOALS}
    assert [bar.holds for bar in success_bars(figures, "goals")] == [True] * 3
    assert success_bars({PRIOR: figures[PRIOR]}, "goals") == []


def test_returns_of_a_constant_reward_are_that_reward_and_weights_are_the_mass_within_the_log() -> None:
    mean, weight = returns(np.full(30, 0.4), 0.9)
    np.testing.assert_allclose(mean, 0.4)
    np.testing.assert_allclose(weight, 1.0 - 0.9 ** np.arange(29, 0, -1))


def test_a_return_starts_with_the_next_state() -> None:
    mean, weight = returns(np.array([9.0, 1.0, 0.0, 0.0]), 0.5)
    assert mean * weight == pytest.approx([0.5, 0.0, 0.0])
