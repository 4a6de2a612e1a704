"""The sections of `dvf report`: what was measured becomes headline numbers, a picture and a sentence each."""

from __future__ import annotations

import math

import numpy as np

from dvf_ros.cli import report_pictures as pictures
from dvf_ros.cli.report_page import Number, Section, Table
from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.report.calibration import Calibration
from dvf_ros.learning.report.coverage import Coverage
from dvf_ros.learning.report.fan import Fan, FanCoverage
from dvf_ros.learning.report.ranking import Ranking
from dvf_ros.learning.report.sensitivity import Sensitivity
from dvf_ros.learning.report.success import Evaluation
from dvf_ros.learning.report.trajectories import Trajectories

TITLES = {
    "trajectories": "Value along trajectories",
    "futures": "Predicted futures, and what happened",
    "calibration": "Calibration",
    "ranking": "Ranking of the recorded behaviors",
    "success": "Success",
    "sensitivity": "Action sensitivity",
    "coverage": "What the data covers",
}
READING = {
    "trajectories": "A value should rise as the task comes closer and stay low where it fails; the two colours should "
    "part early.",
    "futures": "The black line is what happened: it should lie within the dark band half of the time and within the "
    "pale one nine times in ten.",
    "calibration": "A value of 10 should be followed by a return of 10 on average: the dots of means should lie on the "
    "dashed line, and the slope should be 1.",
    "ranking": "Who earned more should be valued higher: the two orders should be the same, and each pair of dots "
    "close together.",
    "success": "Controllers on the same seeds: where intervals overlap, the difference may be chance.",
    "sensitivity": "A choice is worth something only where the score moves more with the action than with the noise "
    "of the sampled futures: dots should lie above the dashed line.",
    "coverage": "Where the black line has fallen before the blue area has, the value rests on futures that the data "
    "does not reach.",
}
NO_RETURN = (
    "No frame has a known reward for every one of the {window} ticks after it. Record rewards on the outcome topic, or "
    "write one: --reward 'EXPRESSION' is computed on the recorded states."
)

KNOWN_BY_NAME = "The value is asked for the behavior by name, from the first states of its own episodes."
KNOWN_BY_MOTION = (
    "The value is asked for whoever moves as in the behavior's episodes, from their first states. These are the very "
    "episodes that are ranked, and their luck shows in their motion: the two orders may agree somewhat too well."
)


def absent(key: str, missing: str) -> Section:
    """A section without its picture, and why."""
    return Section(key, TITLES[key], READING[key], missing=missing)


def trajectories(found: Trajectories, rate: float) -> Section:
    """Value along good and bad trajectories."""
    numbers = []
    for group in found.groups:
        mean = np.mean([item.value.mean() for item in group.trajectories])
        numbers.append(Number(f"{mean:.2f}", f"mean value, {group.name} ({len(group.trajectories)} drawn)"))
    if math.isfinite(found.gap):
        numbers.append(Number(f"{found.gap:+.2f}", "value of the first above the second", "good above bad, value"))
    names = " and ".join(group.name for group in found.groups)
    return _section(
        "trajectories",
        pictures.draw_trajectories(f"Value along trajectories of {names}", found, rate),
        numbers,
        notes=(
            f"Told apart by {found.reason}. Bars and bands are 95 % intervals: bars by sampling and disagreement of "
            "the reward heads, bands of means by the spread of the trajectories and the same disagreement. What was "
            "earned ends with the recording, and so falls towards its end, where the value goes on.",
        ),
    )


def futures(fans: list[Fan], held: FanCoverage | None, names: list[str], rate: float, episode: int) -> Section:
    """The fan of futures against what happened."""
    if not fans:
        return absent("futures", "No episode has two frames: there is no future to compare with.")
    numbers = []
    if held:
        most, half = float(held.most.mean()), float(held.half.mean())
        numbers = [
            Number(f"{most:.0%}", "of what happened lay within the 90 % band", "held by the 90 % band"),
            Number(f"{half:.0%}", "within the 50 % band"),
            Number(str(held.moments), f"moments, {held.offsets[0]} to {held.offsets[-1]} ticks ahead"),
        ]
    svg = pictures.draw_fan(f"Predicted futures of episode {episode} and what happened", fans, held, names, rate)
    note = f"Episode {episode}; predictions are of the recorded mixture of behaviors, made at the red lines."
    return _section("futures", svg, numbers, notes=(note,))


def calibration(found: Calibration | None, window: int, discount: float) -> Section:
    """Predicted value against discounted return."""
    if found is None:
        return absent("calibration", NO_RETURN.format(window=window))
    low, high = found.slope_low, found.slope_high
    episodes = len(np.unique(found.episode))
    interval = "slope (no interval: one episode)" if episodes == 1 else "slope"
    if math.isfinite(low):
        interval = f"slope (95 % interval {low:.2f} to {high:.2f})"
    numbers = [
        Number(_figure(found.slope), interval, "calibration slope"),
        Number(_figure(found.spearman), "Spearman's rank correlation", "Spearman, value and return"),
        Number(_figure(found.rmse), "root mean squared error"),
        Number(f"{found.bias:+.2f}", "mean of predicted less measured"),
        Number(str(len(found.predicted)), f"frames of {episodes} episodes"),
    ]
    note = (
        f"Both sides count the {window} ticks that follow a frame, {1 - discount**window:.0%} of the value's weight: "
        f"what a recording that ends can be asked for. The value's own sampling error is {found.error.mean():.2f}."
    )
    label = f"Measured return against predicted value, slope {_figure(found.slope)}"
    return _section("calibration", pictures.draw_calibration(label, found), numbers, notes=(note,))


def ranking(found: Ranking | None) -> Section:
    """Behaviors by value and by return."""
    if found is None:
        return absent("ranking", "No episode has a known return from its first frame on; give rewards, or --reward.")
    numbers = [
        Number(_figure(found.agreement), "Kendall's τ of the two orders", "Kendall's τ of behaviors"),
        Number(_percent(found.error), "mean error of the values"),
        Number(str(len(found.behaviors)), "behaviors"),
    ]
    notes = [KNOWN_BY_MOTION if found.by_motion else KNOWN_BY_NAME]
    if not all(item.known for item in found.behaviors):
        way = "its motion" if found.by_motion else "name"
        notes.append(f"* the agent does not know this behavior by {way}: its value is that of the recorded mixture.")
    if any(item.episodes == 1 for item in found.behaviors):
        notes.append("There is no interval where there is one episode of a behavior.")
    if found.left_out:
        notes.append(f"{found.left_out} more behaviors, of fewer episodes, are left out.")
    if len(found.behaviors) == 1:
        notes.append("The dataset has a single behavior with known returns: there is nothing to rank.")
    rows = [
        (item.name, str(item.episodes), *(f"{x:.2f}" for x in (item.measured, item.predicted)))
        for item in found.behaviors
    ]
    table = Table("Figures by behavior", ("behavior", "episodes", "measured return", "predicted value"), rows)
    svg = pictures.draw_ranking("Measured return and predicted value of every behavior", found)
    return _section("ranking", svg, numbers, notes, table)


def success(found: Evaluation | None) -> Section:
    """Success with intervals, of an evaluation."""
    if found is None:
        return absent("success", "No evaluation was given. Make one with dvf evaluate, and pass --evaluation FILE.")
    best = found.controllers[0]
    numbers = [
        Number(f"{best.ever:.2f}", f"{best.name} (95 % interval {best.low:.2f} to {best.high:.2f})", "success"),
        Number(f"{best.last:.2f}", "at the last step"),
        *(
            Number(f"{mean:+.2f}", f"gain over {name} ({low:+.2f} to {high:+.2f})")
            for name, (mean, low, high) in found.gains.items()
        ),
    ]
    note = f"{found.episodes} episodes a controller, measured by dvf evaluate at commit {found.commit[:10]}."
    svg = pictures.draw_success("Success of the controllers with intervals", list(found.controllers))
    return _section("success", svg, numbers, notes=(note,))


def sensitivity(found: Sensitivity | None, by_heads: bool) -> Section:
    """Score against action and noise; `by_heads` says whether the value heads have a say in it."""
    if found is None:
        return absent("sensitivity", "The value heads alone score (decision.scoring): no noise moves a score.")
    numbers = [
        Number(f"{found.ratio:.1f}", "action over noise, median of the states", "score: action over noise"),
        Number(f"{np.median(found.action):.3g}", "moves with the action (standard deviation)"),
        Number(f"{np.median(found.scramble):.3g}", "moves with the noise, candidate by candidate"),
        Number(f"{found.blind:.0%}", "of the states: more noise than action"),
    ]
    scored = "futures and value heads" if by_heads else "futures alone"
    shared = (
        f"Scored as the agent decides, by {scored}, with {found.futures} futures a candidate. All candidates "
        f"share their noise: what lifts or lowers all of them alike (a further {np.median(found.shared):.3g}) does not "
        "harm the choice and is left out. Where noise wins, raise --decision.futures."
    )
    svg = pictures.draw_sensitivity("How much scores move with the action and with the noise", found)
    return _section("sensitivity", svg, numbers, notes=(shared,))


def coverage(found: Coverage, agent: DvfAgent) -> Section:
    """Ranges, offsets, labels and support."""
    spec = agent.spec
    numbers = [
        Number(f"{found.within:.0%}", "of the value's weight lies within the horizon", "value within the horizon"),
        Number(f"{found.horizon} ticks", f"horizon, {found.horizon / spec.rate:.1f} s"),
        Number(f"{found.succeeded} / {found.failed}", "episodes that succeeded / failed"),
        Number(f"{found.support_limit:.3g}", "support limit: spread of the dynamics models"),
    ]
    episodes = ", ".join(f"{name or 'no name'} {count}" for name, count in found.behaviors.items())
    notes = [f"Episodes by behavior: {episodes}."]
    still = [name for name, constant in zip(spec.state_names, found.constant, strict=True) if constant]
    if still:
        notes.append(f"These numbers never move: {', '.join(still)}. Nothing can be learned from or about them.")
    if not found.actions:
        notes.append("No action is known: whether the recorded chunks lie within the support cannot be said.")
    if not found.rewards:
        notes.append("No reward is known.")
    rows = [
        (name, *(f"{x:.4g}" for x in column)) for name, column in zip(spec.state_names, found.ranges.T, strict=True)
    ]
    table = Table(
        "Ranges of the state's numbers, in the spec's units", ("number", "least", "5 %", "median", "95 %", "most"), rows
    )
    label = "Offsets covered beside the weight of the value, and shares of labels"
    svg = pictures.draw_coverage(label, found, spec, agent.training_config.discount)
    return _section("coverage", svg, numbers, notes, table)


def _section(
    key: str, svg: str, numbers: list[Number], notes: tuple[str, ...] | list[str] = (), table: Table | None = None
) -> Section:
    return Section(key, TITLES[key], READING[key], numbers, svg, notes=notes, table=table)


def _figure(number: float) -> str:
    return f"{number:.2f}" if math.isfinite(number) else "–"


def _percent(number: float) -> str:
    return f"{number:.0%}" if math.isfinite(number) else "–"
