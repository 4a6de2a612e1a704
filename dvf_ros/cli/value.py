"""`dvf value`: what the controllers that a dataset shows are worth, from its first states."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from dvf_ros.core.expression_parsing import parse_expression
from dvf_ros.data.dataset import Dataset
from dvf_ros.learning.checkpoint import load_checkpoint
from dvf_ros.learning.driver import recorded_driver
from dvf_ros.learning.report.values import Values, value_states


@dataclass(frozen=True)
class Value:
    """Value every controller in a dataset of state sequences; neither actions nor rewards are looked at.

    An agent trained with `--training.representation context` reads off their motion who drives: the controllers may be
    in no training data. Another one knows them by the names of its own data.
    """

    checkpoint: Annotated[Path, tyro.conf.Positional]
    """The agent (the .yaml of its checkpoint)."""
    dataset: Annotated[Path, tyro.conf.Positional]
    """Dataset folder; episodes of one behavior are by one controller."""
    reward: str = ""
    """Value states by this reward, written by hand over the spec's fields, instead of the learned one."""
    futures: int = 256
    """Futures of each state."""
    hop: int | None = None
    """Ticks that the occupancy is asked for in one go, 0 for as many as its data covers; by default as in decisions.
    Longer offsets are then reached in hops, which takes longer and may be truer."""
    starts: int = 32
    """First states that all controllers are valued from, drawn from all episodes."""
    seed: int = 0
    """Of the choice of states and of all noise."""


def main(args: Value) -> int:
    """Print the controllers, the best one first."""
    dataset = Dataset.open(args.dataset)
    agent = load_checkpoint(args.checkpoint, dataset.spec)
    if args.reward:
        agent.set_reward(parse_expression(args.reward, agent.spec))
    hop = agent.decision.hop if args.hop is None else args.hop
    agent.configure(replace(agent.decision, behavior="dropped", futures=args.futures, hop=hop))
    rng = np.random.default_rng(args.seed)
    drawn = rng.choice(dataset.episodes, min(args.starts, dataset.episodes), replace=False)
    starts = np.asarray(dataset.states[np.sort(dataset.episode_start[drawn])])
    console, rows = Console(), []
    for index, name in enumerate(dataset.behavior_names):
        driver = recorded_driver(agent, dataset, index)
        # The same noise for all: what differs is who drives.
        found = value_states(agent, starts, np.random.default_rng(args.seed), agent.horizon, driver)
        by = "motion" if agent.occupancy.motion is not None else "name"
        episodes = int((dataset.behavior == index).sum())
        rows.append((name, episodes, "nothing: as who was recorded" if driver is None else by, found))
    table = Table("controller", "episodes", "known by", "value", "standard error", "disagreement")
    for name, episodes, known, found in sorted(rows, key=lambda row: -_mean(row[3])):
        table.add_row(name, str(episodes), known, f"{_mean(found):.3g}", *(f"{one:.2g}" for one in _doubts(found)))
    console.print(table)
    console.print(f"discounted returns from {len(starts)} first states; reward: {agent.reward_summary}", markup=False)
    return 0


def _mean(found: Values) -> float:
    return float(found.value.mean())


def _doubts(found: Values) -> tuple[float, float]:
    """Mean sampling error, which the states share, and mean disagreement of the reward heads."""
    return float(found.error.mean()), float(found.disagreement.mean())
