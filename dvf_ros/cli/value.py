"""`dvf value`: what the controllers that a dataset shows are worth, from its first states."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from rich.console import Console
from rich.progress import track
from rich.table import Table

from dvf_ros.core.expression_parsing import parse_expression
from dvf_ros.data.dataset import Dataset, DatasetError
from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.checkpoint import load_checkpoint
from dvf_ros.learning.driver import recorded_driver
from dvf_ros.learning.report.driver_correction import DriverProcess, driver_records, fit_correction
from dvf_ros.learning.report.returns import recorded_rewards
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
    reference: Path | None = None
    """Dataset of many controllers and what they earned (with --reward, states will do): how that differed from their
    value is learned as a function of their motion, and corrects the value of others, with an error bar. The training
    data will do. It takes 20 controllers or more, of two or more episodes each, and an agent that reads off motion who
    drives."""
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
    correction = _correction(agent, args.reference, args.seed) if args.reference else None
    console, rows = Console(), []
    for index, name in enumerate(dataset.behavior_names):
        driver = recorded_driver(agent, dataset, index)
        # The same noise for all: what differs is who drives.
        found = value_states(agent, starts, np.random.default_rng(args.seed), agent.horizon, driver)
        by = "motion" if agent.occupancy.motion is not None else "name"
        known = "nothing: as who was recorded" if driver is None else by
        best, (error, disagreement) = float(found.value.mean()), _doubts(found)
        cells = [name, str(int((dataset.behavior == index).sum())), known]
        cells += [f"{best:.3g}", f"{error:.2g}", f"{disagreement:.2g}"]
        if correction and driver is not None:
            more, deviation = correction.of(driver)
            best += more
            cells += [f"{best:.3g}", f"{deviation:.2g}"]
        rows.append((best, cells))
    heads = ["controller", "episodes", "known by", "value", "standard error", "disagreement"]
    table = Table(*heads, *(["corrected", "±"] if correction else []))
    for _, cells in sorted(rows, key=lambda row: -row[0]):
        table.add_row(*cells)
    console.print(table)
    console.print(f"discounted returns from {len(starts)} first states; reward: {agent.reward_summary}", markup=False)
    if correction:
        console.print(
            "±: standard deviation of the reference's controllers about their correction, chance in returns left out"
        )
    return 0


def _correction(agent: DvfAgent, folder: Path, seed: int) -> DriverProcess:
    """What the controllers of the reference earned beyond their value, learned from them."""
    reference = Dataset.open(folder)
    if reference.spec.digest != agent.spec.digest:
        raise DatasetError(
            f"'{folder}': expected data of the agent's spec {agent.spec.digest}, found {reference.spec.digest}: "
            "convert its bags with the agent's spec"
        )

    def follow(drivers: np.ndarray) -> Iterable[int]:
        return track(drivers, "valuing the reference's controllers", transient=True)

    rewards = recorded_rewards(agent, reference)
    return fit_correction(driver_records(agent, reference, rewards, np.random.default_rng(seed), follow))


def _doubts(found: Values) -> tuple[float, float]:
    """Mean sampling error, which the states share, and mean disagreement of the reward heads."""
    return float(found.error.mean()), float(found.disagreement.mean())
