"""`dvf value`: what the controllers that a dataset shows are worth, from its first states."""

from __future__ import annotations

import math
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
from dvf_ros.learning.driver import recorded_driver, recorded_motion
from dvf_ros.learning.report.driver_correction import DriverProcess, driver_records, fit_correction
from dvf_ros.learning.report.motion_doubt import corrected_deviation, likely_values
from dvf_ros.learning.report.returns import recorded_rewards
from dvf_ros.learning.report.values import value_states


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
    found = [
        _worth(agent, dataset, index, starts, correction, args.seed) for index in range(len(dataset.behavior_names))
    ]
    table = Table("controller", "known by", "value", "±", *(["corrected", "±"] if correction else []))
    for one in sorted(found, key=lambda one: -one.numbers[-2]):
        table.add_row(one.controller, one.known_by, *(f"{number:.3g}" for number in one.numbers))
    console = Console()
    console.print(table)
    console.print(f"discounted returns from {len(starts)} first states; reward: {agent.reward_summary}", markup=False)
    sampling, reward, motion = np.mean([one.doubts for one in found], axis=0)
    console.print(
        f"±, a standard deviation: on average {sampling:.2g} by sampling (at most; more --futures lower it), "
        f"{reward:.2g} by reward heads that disagree, {motion:.2g} by how little motion was shown"
    )
    if correction:
        console.print("± of what is corrected: how far controllers like these lay from it, chance in returns left out")
    return 0


@dataclass(frozen=True)
class _Worth:
    """What a controller is worth: value and deviation, and both once more where they are corrected."""

    controller: str
    known_by: str
    numbers: tuple[float, ...]
    doubts: tuple[float, float, float]
    """Deviation of the value by sampling, by reward heads that disagree, and by how little motion was shown."""


def _worth(
    agent: DvfAgent, dataset: Dataset, index: int, starts: np.ndarray, correction: DriverProcess | None, seed: int
) -> _Worth:
    driver = recorded_driver(agent, dataset, index)
    motion = recorded_motion(dataset, index) if agent.occupancy.motion is not None else []
    # The same noise for all: what differs is who drives.
    found = value_states(agent, starts, np.random.default_rng(seed), agent.horizon, driver)
    likely = likely_values(agent, motion, starts, seed) if motion else None
    by_motion = likely.deviation() if likely else 0.0
    doubts = (float(found.error.mean()), float(found.disagreement.mean()), by_motion)  # the states share the noise
    value = float(found.value.mean())
    numbers: tuple[float, ...] = (value, math.hypot(*doubts))
    if driver is None:
        known_by = "nothing: as who was recorded"
    elif likely:
        known_by = f"motion: {len(motion)} episode{'s' * (len(motion) > 1)}"
        if correction:
            as_recorded = likely_values(agent, motion, starts, seed, correction.shown)
            deviation = corrected_deviation(correction, driver, likely, as_recorded)
            numbers += (value + correction.of(driver)[0], deviation)
    else:
        known_by = "name"
    return _Worth(dataset.behavior_names[index], known_by, numbers, doubts)


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
