"""Episodes towards a written reward, by one agent that learned from play and by what else could score the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from safetensors.torch import load_file

from benchmarks.goals import Goal, kept
from benchmarks.regressed_value import RegressedValue
from benchmarks.rescored import RescoredAgent
from benchmarks.resumable import digest, run_cells
from benchmarks.simulation import simulation
from dvf_ros.cli.closed_loop import run_episode
from dvf_ros.core.results import Bar, wilson_interval
from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.checkpoint import load_checkpoint
from dvf_ros.learning.config import DecisionConfig

DECISION = DecisionConfig(candidates=32, futures=32, best_share=0.125, execute=5, prior_temperature=0.7)

DVF, MEAN, PRIOR, GREEDY, REGRESSED = "dvf", "dvf, all futures", "prior alone", "greedy", "regressed"
CONTROLLERS = (DVF, MEAN, PRIOR, GREEDY, REGRESSED)
NOTHING_REGRESSED = 0


@dataclass(frozen=True)
class Cell:
    """One episode: which controller, towards which goal, from which seed.

    The value that REGRESSED acts by was fitted to the goal in `regression_updates`.
    """

    controller: str
    goal: Goal
    seed: int
    steps: int
    checkpoint: Path
    regression_updates: int = NOTHING_REGRESSED

    @property
    def key(self) -> str:
        """What a finished cell is found by; the checkpoint is what its file is found by."""
        updates = self.regression_updates if self.controller == REGRESSED else NOTHING_REGRESSED
        return json.dumps([self.controller, astuple(self.goal), self.seed, self.steps, digest(DECISION, updates)])


@dataclass(frozen=True)
class Plan:
    """Episodes of every controller towards every goal from every seed, `steps` control steps each."""

    controllers: tuple[str, ...]
    goals: tuple[Goal, ...]
    seeds: range
    steps: int
    checkpoint: Path
    regression_updates: int = NOTHING_REGRESSED

    @property
    def cells(self) -> list[Cell]:
        """The episodes."""
        return [
            Cell(controller, goal, seed, self.steps, self.checkpoint, self.regression_updates)
            for controller in self.controllers
            for goal in self.goals
            for seed in self.seeds
        ]

    def measure(self, folder: Path, processes: int) -> dict[str, Any]:
        """Run what the folder lacks, print the table, and return success and what was asked for."""
        success = success_figures(outcomes(self.cells, folder, processes))
        Console().print(success_table(success))
        return success | {
            "episodes_per_goal": len(self.seeds),
            "steps": self.steps,
            "goals": {goal.name: {"reward": goal.reward, "done": goal.done} for goal in self.goals},
        }


def outcomes(cells: Sequence[Cell], folder: Path, processes: int) -> list[tuple[Cell, dict[str, bool]]]:
    """How every cell's episode went; those that lie in the folder, of the same checkpoint, are not run again."""
    words = hashlib.sha256(cells[0].checkpoint.read_bytes()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    done = run_cells(folder / f"cells_{words}.jsonl", cells, episode, processes, "episodes")
    return [(cell, done[cell.key]) for cell in cells]


def regressed_path(checkpoint: Path, goal: Goal, updates: int) -> Path:
    """Where a goal's value lies; another reward, another agent or more updates, and it is another one."""
    made_of = digest(goal.reward, checkpoint.read_text(encoding="utf-8"), updates)
    return checkpoint.with_name(f"regressed_{made_of}.safetensors")


def episode(cell: Cell) -> dict[str, bool]:
    """Whether the goal was kept, was ever reached, and was at the last step."""
    agent = _agent(cell.controller, cell.goal, cell.checkpoint, cell.regression_updates)
    _, done = cell.goal.expressions(agent.spec)
    sim = simulation(agent.spec.task, agent.spec.rate)
    outcome = run_episode(agent, sim, cell.seed, cell.steps, done=lambda state: bool(done.evaluate(state)))
    return {"kept": kept(outcome.successes), "ever": outcome.ever, "last": outcome.last}


@cache
def _agent(controller: str, goal: Goal, checkpoint: Path, regression_updates: int) -> DvfAgent:
    agent = load_checkpoint(checkpoint, decision=DECISION)
    reward, _ = goal.expressions(agent.spec)
    agent.set_reward(reward)
    if controller == MEAN:
        agent.configure(replace(agent.decision, best_share=1.0))
    if controller == PRIOR:
        agent.configure(replace(agent.decision, policy="prior"))
    if controller == GREEDY:
        written = agent.written
        assert written is not None
        return RescoredAgent.of(agent, lambda states: written.predict(states)[0])
    if controller == REGRESSED:
        model = RegressedValue(agent.encoder.size)
        model.load_state_dict(load_file(regressed_path(checkpoint, goal, regression_updates)))
        return RescoredAgent.of(agent, model)
    return agent


def success_figures(outcomes: Sequence[tuple[Cell, dict[str, bool]]]) -> dict[str, Any]:
    """Success of every controller, over all goals with its 95 % interval and on each."""
    figures: dict[str, Any] = {}
    goals = list(dict.fromkeys(cell.goal.name for cell, _ in outcomes))
    for controller in dict.fromkeys(cell.controller for cell, _ in outcomes):
        mine = [(cell.goal.name, outcome) for cell, outcome in outcomes if cell.controller == controller]
        successes = sum(outcome["kept"] for _, outcome in mine)
        low, high = wilson_interval(successes, len(mine))
        figures[controller] = {
            "success": successes / len(mine),
            "success_low": low,
            "success_high": high,
            "ever": float(np.mean([outcome["ever"] for _, outcome in mine])),
            "last": float(np.mean([outcome["last"] for _, outcome in mine])),
            "by_goal": {
                goal: float(np.mean([outcome["kept"] for name, outcome in mine if name == goal])) for goal in goals
            },
        }
    return figures


def success_bars(figures: dict[str, Any], what: str) -> list[Bar]:
    """The bars whose controllers were run; without the agent itself there are none."""
    success = {name: figures[name]["success"] for name in CONTROLLERS if name in figures}
    if DVF not in success:
        return []
    own = success[DVF]
    bars = [
        Bar(f"success over {what}", own, ">=", 0.9),
        Bar(f"success on the worst of {what}", min(figures[DVF]["by_goal"].values()), ">=", 0.8),
    ]
    if PRIOR in success:
        bars.append(Bar(f"success less twice that of the prior alone, {what}", own - 2 * success[PRIOR], ">=", 0.0))
    if GREEDY in success:
        bars.append(Bar(f"success less that of the greedy reward, {what}", own - success[GREEDY], ">", 0.0))
    if REGRESSED in success:
        bars.append(
            Bar(f"success less 95 % of the regressed value's, {what}", own - 0.95 * success[REGRESSED], ">=", 0.0)
        )
    return bars


def success_table(figures: dict[str, Any]) -> Table:
    """Success by goal and controller, for people."""
    controllers = [name for name in CONTROLLERS if name in figures]
    table = Table("goal", *controllers)
    for goal in figures[controllers[0]]["by_goal"]:
        table.add_row(goal, *(f"{figures[name]['by_goal'][goal]:.2f}" for name in controllers))
    for key in ("success", "ever", "last"):
        table.add_row(key, *(f"{figures[name][key]:.2f}" for name in controllers))
    return table
