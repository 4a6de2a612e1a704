"""`dvf value`: what the controllers that a dataset shows are worth, from its first states."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from dvf_ros.cli.console import Console
from dvf_ros.core.expression_parsing import parse_expression
from dvf_ros.core.results import write_results
from dvf_ros.core.spec_differences import differences
from dvf_ros.core.writing import require_writable
from dvf_ros.data.checks import require_usable
from dvf_ros.data.dataset import Dataset, DatasetError
from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.checkpoint import CheckpointError, common_name, load_alike
from dvf_ros.learning.config import DecisionConfig, require_at_least
from dvf_ros.learning.report.driver_correction import DriverProcess, driver_records, fit_correction
from dvf_ros.learning.report.returns import recorded_rewards
from dvf_ros.learning.report.worth import DOUBTS, NOTHING, Earned, Worth, settled, worth_by_agent, worth_by_all


@dataclass(frozen=True)
class Value:
    """Value every controller in a dataset of state sequences; neither actions nor rewards are looked at.

    An agent trained with `--training.representation context` reads off their motion who drives: the controllers may be
    in no training data. Another one knows them by the names of its own data, unless it was trained with
    `--training.behavior-drop 1`: that one values them all as who was recorded. Beside that stands what the shown
    episodes earned themselves, by the reward on their states, and both combined: best where many episodes are shown.
    """

    checkpoint: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="CHECKPOINT")]
    """The agent (the .yaml of its checkpoint)."""
    dataset: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DATASET")]
    """Dataset folder; episodes of one behavior are by one controller."""
    also: tuple[Path, ...] = ()
    """Other agents, trained like this one on the same data but with other seeds (--training.seed). Values are then the
    mean of all, which is off by less than one of them, and how they differ counts in the error bar."""
    reward: str = ""
    """Value states by this reward, written by hand over the spec's fields, instead of the learned one."""
    reference: Path | None = None
    """Dataset of many controllers and what they earned (with --reward, states will do): how that differed from their
    value is learned as a function of their motion and that value, and corrects the value of others, with an error bar.
    The training data will do. It takes 20 controllers or more, of two or more episodes each, and an agent that reads
    off motion who drives."""
    futures: int = 256
    """Futures of each state."""
    hop: int | None = None
    """Ticks that the occupancy is asked for in one go, 0 for as many as its data covers; by default as in decisions.
    Longer offsets are then reached in hops, which takes longer and may be truer."""
    starts: int = 32
    """First states that all controllers are valued from, drawn from all episodes."""
    seed: int = 0
    """Of the choice of states and of all noise."""
    result: Path | None = Path("results/worth.json")
    """Where the table goes, as JSON; None: nowhere."""

    def __post_init__(self) -> None:
        require_at_least(self, 1, "starts")
        require_at_least(self, 0, "seed", "hop")
        DecisionConfig(futures=self.futures)  # refuses what no decision can have


def main(args: Value) -> int:
    """Print the controllers, the best one first, and write them down.

    Raises CheckpointError, before anything is valued, where there is no reward to value states by.
    """
    if args.result:
        require_writable(args.result)
    dataset = Dataset.open(args.dataset)
    require_usable(dataset)
    paths = (args.checkpoint, *args.also)
    agents = load_alike(paths, dataset.spec)
    for path, agent in zip(paths, agents, strict=True):
        if args.reward:
            agent.set_reward(parse_expression(args.reward, agent.spec))
        _require_reward(path, agent)
        hop = agent.decision.hop if args.hop is None else args.hop
        agent.configure(replace(agent.decision, behavior="dropped", futures=args.futures, hop=hop))
    rng = np.random.default_rng(args.seed)
    console = Console()
    drawn = rng.choice(dataset.episodes, min(args.starts, dataset.episodes), replace=False)
    starts = np.asarray(dataset.states[np.sort(dataset.episode_start[drawn])])
    corrections = [
        _correction(agent, args.reference, args.seed, console) if args.reference else None for agent in agents
    ]
    earned = [Earned.by(agent, dataset) for agent in agents]

    def worth(index: int) -> Worth:
        asked = zip(agents, earned, corrections, strict=True)
        return worth_by_all(
            [
                worth_by_agent(agent, dataset, index, starts, own, correction, args.seed)
                for agent, own, correction in asked
            ]
        )

    controllers = range(len(dataset.behavior_names))
    followed = track(controllers, "valuing controllers", transient=True, console=console)
    found = settled(list(map(worth, followed)), earned[0].share)
    found.sort(key=lambda one: -one.best[0])
    console.print(_table(found))
    console.print(
        f"discounted returns from {len(starts)} first states; reward: {agents[0].reward_summary}", markup=False
    )
    for note in _notes(found, earned[0].window):
        console.print(note)
    if args.result:
        figures = {
            "agents": [str(common_name(path)) for path in paths],
            "reward": agents[0].reward_name,
            "starts": len(starts),
            "controllers": {one.controller: _figures(one) for one in found},
        }
        write_results(args.result, figures, [], [args.seed])
    return 0


def _require_reward(path: Path, agent: DvfAgent) -> None:
    """Raise CheckpointError where every controller would be worth 0."""
    if not agent.rewarded:
        raise CheckpointError(
            f"'{path}': expected an agent with a learned reward, found none: its training data held no reward other "
            "than 0, so every controller would be worth 0; write one over the spec's fields: --reward 'EXPRESSION'"
        )


def _table(found: Sequence[Worth]) -> Table:
    columns = ["value", *(name for name in ("corrected", "shown", "combined") if _any(found, name))]
    table = Table("controller", "known by", *(f"{name} ±" for name in columns))
    for one in found:
        shown = (one.shown.earned, one.shown.deviation) if one.shown else None
        pairs = {"value": one.value, "corrected": one.corrected, "shown": shown, "combined": one.combined}
        table.add_row(escape(one.controller), one.known_by, *(_cell(pairs[name]) for name in columns))
    return table


def _any(found: Sequence[Worth], name: str) -> bool:
    return any(getattr(one, name) for one in found)


def _notes(found: Sequence[Worth], window: int) -> list[str]:
    """What the columns mean that are there."""
    doubts = np.mean([one.doubts for one in found], axis=0)
    notes = ["±, a standard deviation: on average " + ", ".join(map("{:.2g} {}".format, doubts, DOUBTS))]
    if any(one.known_by == NOTHING for one in found):
        notes.append(f"known by {NOTHING}: valued as whoever was recorded")
    if _any(found, "corrected"):
        notes.append("± of what is corrected: how far controllers like these lay from it, chance in returns left out")
    if _any(found, "shown"):
        notes.append(
            f"shown: what its own episodes earned in their first {window} ticks by the reward on their states, and the "
            "value of what comes later; ± is chance alone"
        )
    if _any(found, "combined"):
        notes.append("combined: both, each counts the more the less it is in doubt")
    return notes


def _cell(pair: tuple[float, float] | None) -> str:
    if pair is None:
        return ""
    number, deviation = pair
    return f"{number:.3g}" if math.isnan(deviation) else f"{number:.3g} ± {deviation:.2g}"


def _figures(one: Worth) -> dict[str, object]:
    value, deviation = one.value
    doubts = dict(zip(("sampling", "reward heads", "motion", "agents"), one.doubts, strict=False))
    figures: dict[str, object] = {"known_by": one.known_by, "value": value, "deviation": deviation, "doubts": doubts}
    if one.corrected:
        figures["corrected"], figures["corrected_deviation"] = one.corrected
    if one.shown:
        figures["shown"], figures["shown_episodes"] = one.shown.earned, one.shown.episodes
        if one.shown.episodes > 1:
            figures["shown_deviation"] = one.shown.deviation
    if one.combined:
        figures["combined"], figures["combined_deviation"] = one.combined
    return figures


def _correction(agent: DvfAgent, folder: Path, seed: int, console: Console) -> DriverProcess:
    """What the controllers of the reference earned beyond their value, learned from them."""
    reference = Dataset.open(folder)
    require_usable(reference)
    if reference.spec.digest != agent.spec.digest:
        raise DatasetError(
            f"'{folder}': expected data of the agent's spec, found another: "
            f"{differences(agent.spec, reference.spec, ('the agent has', 'the data'))} (digests {agent.spec.digest} "
            f"and {reference.spec.digest}); convert its bags with the agent's spec"
        )

    def follow(drivers: np.ndarray) -> Iterable[int]:
        return track(drivers, "valuing the reference's controllers", transient=True, console=console)

    rewards = recorded_rewards(agent, reference)
    return fit_correction(driver_records(agent, reference, rewards, np.random.default_rng(seed), follow))
