"""The pictures of `dvf report`, each as an inline SVG that asks nobody for anything."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from functools import wraps
from html import escape
from typing import Any, Concatenate

import matplotlib
import numpy as np

from dvf_ros.core.spec import RobotSpec
from dvf_ros.learning.report.calibration import Calibration
from dvf_ros.learning.report.coverage import Coverage
from dvf_ros.learning.report.fan import Fan, FanCoverage
from dvf_ros.learning.report.intervals import half_interval_by_episode
from dvf_ros.learning.report.ranking import Ranking
from dvf_ros.learning.report.sensitivity import Sensitivity
from dvf_ros.learning.report.success import Success
from dvf_ros.learning.report.trajectories import Group, Trajectories

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

GOOD, BAD, TRUTH, MODEL, PALE = "#1b7f79", "#d9622b", "#1d2733", "#4464ad", "#98a2b3"
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # names are no formulas
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": PALE,
    "axes.labelcolor": TRUTH,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.grid": True,
    "grid.color": "#e7eaf0",
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "xtick.color": "#475467",
    "ytick.color": "#475467",
    "legend.frameon": False,
    "legend.fontsize": 9,
}
WIDTH = 9.6  # inches


def inline_svg[**P](draw: Callable[P, Figure]) -> Callable[Concatenate[str, P], str]:
    """Make of a function that draws a Figure one that returns an SVG element; its first argument tells what it shows.

    What only a file of its own needs (document type, metadata, namespaces) is left out, and so is every address in it;
    ids are unique on the page.
    """

    @wraps(draw)
    def svg(label: str, *args: P.args, **kwargs: P.kwargs) -> str:
        with plt.rc_context(STYLE | {"svg.hashsalt": draw.__name__}):
            figure = draw(*args, **kwargs)
            text = io.StringIO()
            figure.savefig(text, format="svg", transparent=True)
            plt.close(figure)
        body = text.getvalue()[text.getvalue().index("<svg") :]
        body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
        body = re.sub(r"<!--.*?-->", "", body, flags=re.DOTALL)
        body = re.sub(r' xmlns(:xlink)?="[^"]*"', "", body)
        body = re.sub(r'<g id="[^"]*"', "<g", body)
        body = re.sub(r' (width|height)="[\d.]+pt"', "", body, count=2)
        return body.replace("<svg", f'<svg role="img" aria-label="{escape(label)}"', 1)

    return svg


@inline_svg
def draw_trajectories(found: Trajectories, rate: float) -> Figure:
    """The two groups on the left, one trajectory of each with its error bars and its return on the right."""
    figure, axes = plt.subplots(1, 1 + len(found.groups), figsize=(WIDTH, 3.3), sharey=True, layout="constrained")
    for group, color in zip(found.groups, (GOOD, BAD), strict=False):
        _draw_group(axes[0], group, color, rate)
    axes[0].set_title("all that were drawn, and their means")
    axes[0].set_ylabel("value (discounted return)")
    axes[0].legend(loc="upper left")
    for axis, group, color in zip(axes[1:], found.groups, (GOOD, BAD), strict=False):
        item = group.trajectories[0]
        seconds = item.tick / rate
        axis.plot(seconds, item.earned, color=TRUTH, linewidth=1.2, linestyle=(0, (4, 2)), label="earned until its end")
        axis.errorbar(
            seconds, item.value, 1.96 * item.uncertainty, color=color, fmt="o-", markersize=2.5, linewidth=1.4,
            elinewidth=0.9, label="value, 95 % interval",
        )  # fmt: skip
        axis.set_title(f"episode {item.episode}: {group.name}")
        axis.legend(loc="upper left")
    for axis in axes:
        axis.set_xlabel("seconds")
    low, high = axes[0].get_ylim()
    axes[0].set_ylim(top=high + 0.22 * (high - low))  # room for the legends
    return figure


def _draw_group(axis: Axes, group: Group, color: str, rate: float) -> None:
    for item in group.trajectories:
        axis.plot(item.tick / rate, item.value, color=color, linewidth=0.7, alpha=0.35)
    ticks, mean, half = group.mean()
    axis.fill_between(ticks / rate, mean - half, mean + half, color=color, alpha=0.2, linewidth=0)
    axis.plot(ticks / rate, mean, color=color, linewidth=2.4, label=group.name)


@inline_svg
def draw_fan(fans: list[Fan], coverage: FanCoverage | None, names: list[str], rate: float) -> Figure:
    """One row per state number, one column per moment; at the right how often the band held what happened."""
    columns = len(fans) + (coverage is not None)
    figure = plt.figure(figsize=(WIDTH, 1.2 + 1.6 * len(names)), layout="constrained")
    grid = figure.add_gridspec(len(names), columns)
    for row, name in enumerate(names):
        shared: Axes | None = None
        for place, fan in enumerate(fans):
            axis = figure.add_subplot(grid[row, place], sharey=shared)
            shared = shared or axis
            _draw_moment(axis, fan, row, rate)
            axis.tick_params(labelleft=place == 0, labelbottom=row == len(names) - 1)
            if place == 0:
                axis.set_ylabel(name)
            if row == 0:
                axis.set_title(f"predicted at {fan.tick / rate:.1f} s")
            if row == len(names) - 1:
                axis.set_xlabel("seconds in the episode")
            if row == place == 0:
                axis.legend(loc="best", fontsize=8)
    if coverage:
        axis = figure.add_subplot(grid[:, -1])
        seconds = coverage.offsets / rate
        for share, level, color in ((coverage.most, 0.9, MODEL), (coverage.half, 0.5, GOOD)):
            axis.axhline(level, color=color, linewidth=1, linestyle=(0, (4, 2)))
            axis.plot(seconds, share, color=color, marker="o", markersize=4, label=f"{level:.0%} band")
        axis.set(ylim=(0, 1.02), xscale="log", xlabel="seconds ahead", title="what happened lay within")
        axis.set_xticks(seconds[::2], [f"{x:.2g}" for x in seconds[::2]])
        axis.minorticks_off()
        axis.legend(loc="lower left")
    return figure


def _draw_moment(axis: Axes, fan: Fan, row: int, rate: float) -> None:
    ahead = (fan.tick + fan.offsets) / rate
    low, quarter, middle, three, high = fan.bands[:, :, row]
    axis.fill_between(ahead, low, high, color=MODEL, alpha=0.18, linewidth=0, label="90 %")
    axis.fill_between(ahead, quarter, three, color=MODEL, alpha=0.32, linewidth=0, label="50 %")
    axis.plot(ahead, middle, color=MODEL, linewidth=1)
    axis.plot(np.arange(len(fan.happened)) / rate, fan.happened[:, row], color=TRUTH, linewidth=1.4, label="happened")
    axis.axvline(fan.tick / rate, color=BAD, linewidth=0.9)


@inline_svg
def draw_calibration(found: Calibration) -> Figure:
    """Return against value: every frame, means of tenths, the fitted line, and where all should lie."""
    figure, (axis, errors) = plt.subplots(1, 2, figsize=(WIDTH, 3.9), width_ratios=(1.25, 1), layout="constrained")
    ends = np.array(
        [min(found.predicted.min(), found.measured.min()), max(found.predicted.max(), found.measured.max())]
    )
    axis.plot(ends, ends, color=PALE, linewidth=1.4, linestyle=(0, (4, 2)), label="perfect")
    axis.scatter(found.predicted, found.measured, s=9, color=MODEL, alpha=0.35, linewidth=0, label="a frame")
    if np.isfinite(found.slope):
        fitted = np.array([found.predicted.min(), found.predicted.max()])
        line = found.slope * fitted + found.intercept
        axis.plot(fitted, line, color=BAD, linewidth=1.8, label=f"fit, slope {found.slope:.2f}")
    tenths = np.array_split(np.argsort(found.predicted, kind="stable"), min(10, len(found.predicted)))
    x = [found.predicted[rows].mean() for rows in tenths]
    y = [found.measured[rows].mean() for rows in tenths]
    half = [half_interval_by_episode(found.measured[rows], found.episode[rows]) for rows in tenths]
    axis.errorbar(x, y, half, fmt="o", color=TRUTH, markersize=5, capsize=2, linewidth=1.3, label="mean of a tenth")
    axis.set(xlabel="predicted value", ylabel="measured return", title=f"over the next {found.window} ticks")
    axis.legend(loc="upper left")
    difference = found.predicted - found.measured
    span = max(float(np.ptp(difference)) / 2, 1e-6 * float(np.abs(ends).max()), 1e-6)  # else bins have no width
    middle = (difference.min() + difference.max()) / 2
    errors.hist(difference, bins=30, range=(middle - span, middle + span), color=MODEL, alpha=0.75)
    errors.axvline(0, color=PALE, linewidth=1.4, linestyle=(0, (4, 2)))
    errors.axvline(found.bias, color=BAD, linewidth=1.8, label=f"mean {found.bias:+.2f}")
    errors.set(xlabel="predicted less measured", ylabel="frames", title="how far off")
    errors.legend(loc="upper left")
    return figure


@inline_svg
def draw_ranking(found: Ranking) -> Figure:
    """Return and value of every behavior beside each other, the best on top."""
    names = [item.name if item.known else f"{item.name} *" for item in found.behaviors]
    figure, axis = plt.subplots(figsize=(WIDTH, 1.2 + 0.5 * len(names)), layout="constrained")
    place = np.arange(len(names))
    for shift, key, color, label in (
        (-0.13, "measured", TRUTH, "measured return"),
        (0.13, "predicted", MODEL, "predicted value"),
    ):
        x = [getattr(item, key) for item in found.behaviors]
        half = [getattr(item, f"{key}_half") for item in found.behaviors]
        axis.errorbar(x, place + shift, xerr=half, fmt="o", color=color, markersize=6, capsize=3, label=label)
    _name_rows(axis, names)
    axis.set_xlabel(f"from the first state, over {found.window} ticks (95 % interval)")
    axis.legend(loc="lower right")
    return figure


@inline_svg
def draw_success(found: list[Success]) -> Figure:
    """Success of every controller: a bar for ever, with its interval, and a tick for the last step."""
    figure, axis = plt.subplots(figsize=(WIDTH, 1.2 + 0.45 * len(found)), layout="constrained")
    place = np.arange(len(found))
    ever = np.array([item.ever for item in found])
    errors = np.abs(np.array([[item.low, item.high] for item in found]).T - ever)
    axis.barh(place, ever, height=0.5, color=GOOD, alpha=0.3)
    axis.errorbar(ever, place, xerr=errors, fmt="o", color=GOOD, markersize=6, capsize=3, label="at any time")
    axis.plot([item.last for item in found], place, "D", color=TRUTH, markersize=4, label="at the last step")
    _name_rows(axis, [item.name for item in found])
    axis.set(xlim=(0, 1.02), xlabel="share of the episodes (95 % interval)")
    axis.legend(loc="lower right", ncols=2, bbox_to_anchor=(1, 1))
    return figure


@inline_svg
def draw_sensitivity(found: Sensitivity) -> Figure:
    """Action against noise in every state, and one state's candidates as several draws of noise see them."""
    figure, (axis, example) = plt.subplots(1, 2, figsize=(WIDTH, 3.5), layout="constrained")
    top = 1.08 * max(found.action.max(), found.scramble.max(), 1e-6)
    axis.fill_between([0, top], [0, top], 0, color=BAD, alpha=0.08, linewidth=0)
    axis.plot([0, top], [0, top], color=PALE, linewidth=1.4, linestyle=(0, (4, 2)))
    axis.scatter(found.scramble, found.action, s=26, color=MODEL, alpha=0.75, linewidth=0)
    axis.text(0.97, 0.04, "noise decides", transform=axis.transAxes, ha="right", color=BAD)
    axis.text(0.03, 0.93, "the action decides", transform=axis.transAxes, color=GOOD)
    axis.set(xlim=(0, top), ylim=(0, top), xlabel="score moves with the noise", ylabel="score moves with the action")
    axis.set_title("standard deviations, a dot a state")
    order = np.argsort(-found.example.mean(axis=0))
    for row in found.example:
        example.plot(np.arange(1, len(order) + 1), row[order], color=MODEL, linewidth=0.9, alpha=0.7)
    example.plot(
        np.arange(1, len(order) + 1), found.example.mean(axis=0)[order], color=TRUTH, linewidth=2, label="mean"
    )
    example.set(xlabel="candidates, the best first", ylabel="score", title="a typical state, a line a draw of noise")
    example.legend(loc="upper right")
    return figure


@inline_svg
def draw_coverage(found: Coverage, spec: RobotSpec, discount: float) -> Figure:
    """Offsets that the data reaches beside the value's weight, and the labels' shares."""
    figure, (reach, labels) = plt.subplots(1, 2, figsize=(WIDTH, 3.2), width_ratios=(1.5, 1), layout="constrained")
    longest = max(len(found.reach), 2 * found.horizon)
    seconds = np.arange(1, longest + 1) / spec.rate
    share = np.pad(found.reach, (0, longest - len(found.reach)), mode="edge")  # what terminated has every offset
    reach.plot(seconds, share, color=TRUTH, linewidth=2, label="frames with a future so far ahead")
    beyond = discount ** np.arange(longest)
    reach.fill_between(seconds, beyond, color=MODEL, alpha=0.25, linewidth=0, label="weight of the value beyond")
    reach.axvline(found.horizon / spec.rate, color=BAD, linewidth=1.4, label=f"horizon, {found.horizon} ticks")
    reach.set(xlabel="seconds ahead", ylabel="share", ylim=(0, 1.03), title="offsets covered")
    reach.legend(loc="upper right")
    shares = {"actions": found.actions, "rewards": found.rewards}
    shares["success said"] = (found.succeeded + found.failed) / found.episodes
    if np.isfinite(found.supported):
        shares["chunks in support"] = found.supported
    labels.barh(np.arange(len(shares)), list(shares.values()), height=0.55, color=GOOD, alpha=0.6)
    for place, value in enumerate(shares.values()):
        labels.text(min(value, 0.98) - 0.02 if value > 0.3 else value + 0.02, place, f"{value:.1%}",
                    va="center", ha="right" if value > 0.3 else "left")  # fmt: skip
    _name_rows(labels, list(shares))
    labels.set(xlim=(0, 1), xlabel="share that is known", title="labels")
    return figure


def _name_rows(axis: Axes, names: list[str]) -> None:
    axis.set_yticks(range(len(names)), names)
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.grid(axis="y", visible=False)
    axis.tick_params(axis="y", length=0)
