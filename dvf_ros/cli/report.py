"""`dvf report`: what an agent knows about a dataset, as one HTML page that opens anywhere, offline."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from dvf_ros.cli import report_sections as sections
from dvf_ros.cli.console import Console
from dvf_ros.cli.report_page import Page, Section
from dvf_ros.core.columns import columns_of
from dvf_ros.core.expression_parsing import parse_expression
from dvf_ros.core.results import commit, machine
from dvf_ros.core.writing import require_writable, write_text
from dvf_ros.data.checks import require_usable
from dvf_ros.data.dataset import Dataset
from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.checkpoint import load_checkpoint, read_description
from dvf_ros.learning.config import require_at_least
from dvf_ros.learning.report.calibration import measure_calibration
from dvf_ros.learning.report.coverage import measure_coverage
from dvf_ros.learning.report.fan import draw_fans, measure_fan_coverage
from dvf_ros.learning.report.ranking import measure_ranking
from dvf_ros.learning.report.returns import recorded_rewards
from dvf_ros.learning.report.sensitivity import measure_sensitivity
from dvf_ros.learning.report.success import read_evaluation
from dvf_ros.learning.report.trajectories import measure_trajectories
from dvf_ros.learning.value import coverage_horizon

FUTURES = 128
SHARE = 0.5  # of the frames that must have the calibration's window ahead of them
NO_REWARD = "The agent has learned no reward, so every state is worth the same. Give one: --reward 'EXPRESSION'."


@dataclass(frozen=True)
class Report:
    """Draw, on one HTML page, how far an agent's values, futures and scores can be trusted on a dataset."""

    checkpoint: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="CHECKPOINT")]
    """The agent (the .yaml of its checkpoint)."""
    dataset: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DATASET")]
    """Dataset folder: best one of episodes that the agent was not trained on."""
    evaluation: Path | None = None
    """What `dvf evaluate` wrote, for the success of controllers."""
    output: Path = Path("results/report.html")
    """Where the page goes."""
    reward: str = ""
    """Value states by this reward, written by hand over the spec's fields, instead of the learned one."""
    names: tuple[str, ...] = ()
    """State numbers whose futures are drawn, e.g. cube_position.z; by default the last vector of the state."""
    frames: int = 400
    """Recorded states that the calibration values; the other pictures take shares of it."""
    seed: int = 0
    """Of the choice of frames and of all noise."""

    def __post_init__(self) -> None:
        require_at_least(self, 1, "frames")
        require_at_least(self, 0, "seed")


def main(args: Report) -> int:
    """Measure, draw and write the page; says the headline numbers."""
    begin = time.perf_counter()
    require_writable(args.output)
    evaluation = read_evaluation(args.evaluation) if args.evaluation else None
    dataset = Dataset.open(args.dataset)
    require_usable(dataset)
    agent = load_checkpoint(args.checkpoint, dataset.spec)
    if args.reward:
        agent.set_reward(parse_expression(args.reward, agent.spec))
    made = [*measure_sections(agent, dataset, args), sections.success(evaluation)]
    order = ("trajectories", "futures", "calibration", "ranking", "success", "sensitivity", "coverage")
    made.sort(key=lambda section: order.index(section.key))
    page = Page(
        title=f"{agent.spec.robot} {agent.spec.task}: what the agent knows, and how well",
        lead="Values are discounted returns from sampled futures. Each picture says how to read it.",
        facts=_facts(args, agent, dataset),
        warnings=_warnings(args, dataset),
        sections=made,
        foot=f"dvf report, seed {args.seed}, {machine()}; {time.perf_counter() - begin:.0f} s of measuring.",
    )
    write_text(args.output, page.html())
    console = Console()
    for section in made:
        shown = ", ".join(f"{number.tile} {number.text}" for number in section.numbers if number.tile)
        console.print(f"{section.title}: {shown or section.missing}", markup=False, highlight=False)
    console.print(f"page: {args.output}", markup=False, soft_wrap=True)
    return 0


def measure_sections(agent: DvfAgent, dataset: Dataset, args: Report) -> list[Section]:
    """All sections but that of success. The agent's run-time settings are as the checkpoint says afterwards."""
    decision, rate = agent.decision, agent.spec.rate
    columns = columns_of(agent.spec, args.names)
    rewards = recorded_rewards(agent, dataset)
    valued = agent.written is not None or agent.reward.learned
    window = min(agent.horizon, coverage_horizon(dataset.episode_length, dataset.terminated, SHARE))

    def rng(number: int) -> np.random.Generator:
        return np.random.default_rng([args.seed, number])

    made = []
    # The value of what was recorded, whatever the decisions ask for.
    agent.configure(replace(decision, behavior="dropped", futures=FUTURES))
    try:
        episode = int(np.argmax(dataset.episode_length))
        if valued:
            found = measure_trajectories(agent, dataset, rewards, 5, max(args.frames // 14, 4), rng(0))
            episode = found.groups[0].trajectories[0].episode
            made.append(sections.trajectories(found, rate))
            calibration = measure_calibration(agent, dataset, rewards, window, args.frames, rng(1))
            made.append(sections.calibration(calibration, window, agent.training_config.discount))
            made.append(sections.ranking(measure_ranking(agent, dataset, rewards, max(args.frames // 10, 4), rng(2))))
        fans = draw_fans(agent, dataset, episode, 3, columns, rng(3))
        held = measure_fan_coverage(agent, dataset, max(args.frames // 4, 4), 64, rng(4))
        made.append(sections.futures(fans, held, [agent.spec.state_names[i] for i in columns], rate, episode))
    finally:
        agent.configure(decision)
    if valued:
        scores = measure_sensitivity(agent, dataset, max(args.frames // 13, 4), 4, rng(5))
        made.append(sections.sensitivity(scores, agent.uses_heads))
    else:
        keys = ("trajectories", "calibration", "ranking", "sensitivity")
        made += [sections.absent(key, NO_REWARD) for key in keys]
    made.append(sections.coverage(measure_coverage(agent, dataset, rng(6)), agent))
    return made


def _facts(args: Report, agent: DvfAgent, dataset: Dataset) -> dict[str, str]:
    description = read_description(args.checkpoint)
    return {
        "checkpoint": f"{args.checkpoint} ({description.sha256[:10]}, commit {description.commit[:10]})",
        "dataset": f"{args.dataset} ({dataset.digest[:10]})",
        "episodes": str(dataset.episodes),
        "frames": f"{dataset.frames} at {dataset.spec.rate:g} Hz",
        "reward": agent.reward_name,
        "discount": f"{agent.training_config.discount:g}",
        "made": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {commit()}",
    }


def _warnings(args: Report, dataset: Dataset) -> list[str]:
    if read_description(args.checkpoint).dataset_digest != dataset.digest:
        return []
    return [
        "These are the very episodes that the agent was trained on: the figures on values and futures are somewhat too "
        "good. Convert episodes that were not trained on into a dataset of their own for an honest page."
    ]
