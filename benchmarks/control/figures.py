"""What the cells say together: success by task, interquartile means with intervals, and the bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from rich.table import Table

from benchmarks.control.cells import Cells
from benchmarks.control.controllers import ABLATIONS, DVF, LIBRARIES, PRIORS, SIX_STEPS
from benchmarks.intervals import Statistic, interquartile_mean_of, mean_of, resampled_interval
from benchmarks.peers import interquartile_means
from dvf_ros.core.results import Bar

# controller -> (seeds, tasks) success rates
Scores = dict[str, np.ndarray]


def success(cells: Cells, when: str) -> dict[str, dict[str, float]]:
    """Controller -> task -> rate over all episodes of all seeds there are; `when` is ever or last."""
    found: dict[str, dict[str, float]] = {}
    for task, controllers in cells.items():
        for name, runs in controllers.items():
            found.setdefault(name, {})[task] = _rate("".join(getattr(cell, when) for cell in runs.values()))
    return found


def complete(cells: Cells, tasks: Sequence[str], seeds: Sequence[int], names: Sequence[str]) -> Scores:
    """Final success (seeds, tasks) of the controllers none of whose cells is missing."""
    found = {}
    for name in names:
        runs = [cells.get(task, {}).get(name, {}) for task in tasks]
        if all(seed in run for run in runs for seed in seeds):
            found[name] = np.array([[_rate(run[seed].last) for run in runs] for seed in seeds])
    return found


def paired_gain(
    cells: Cells, tasks: Sequence[str], seeds: Sequence[int], other: str, statistic: Statistic = mean_of
) -> dict[str, float]:
    """By how much a statistic of the agent's final success exceeds another controller's, with its 95 % interval.

    Episodes are paired: same task, same training seed, same start.
    """
    both = np.array(
        [
            [[[int(digit) for digit in cells[task][name][seed].last] for seed in seeds] for task in tasks]
            for name in (DVF, other)
        ],
        float,
    )

    def gain(outcomes: np.ndarray) -> np.ndarray:
        ours, theirs = statistic(outcomes)
        found: np.ndarray = ours - theirs
        return found

    low, high = resampled_interval(both, gain)
    return {"gain": float(gain(both)), "low": low, "high": high}


def summary(cells: Cells, tasks: Sequence[str], seeds: Sequence[int], names: Sequence[str]) -> dict[str, Any]:
    """All figures but the cells themselves."""
    scores = complete(cells, tasks, seeds, names)
    others = [name for name in scores if name != DVF and DVF in scores]
    return {
        "last": success(cells, "last"),
        "ever": success(cells, "ever"),
        "interquartile_mean": interquartile_means(scores) if scores else {},
        "paired_gain": {name: paired_gain(cells, tasks, seeds, name) for name in others},
        "paired_gain_of_interquartile_mean": {
            name: paired_gain(cells, tasks, seeds, name, interquartile_mean_of) for name in others
        },
        "training_seconds": {name: _longest(cells, name) for name in scores},
        "missing": [name for name in names if name not in scores],
    }


def bars_of_control(figures: Mapping[str, Any]) -> list[Bar]:
    """The bars, of figures in which nothing is missing."""
    means = figures["interquartile_mean"]
    rivals = {name: means[name] for name in (*PRIORS, *LIBRARIES)}
    best = max(rivals, key=lambda name: rivals[name]["mean"])
    own = means[DVF]
    spared = max(ABLATIONS, key=lambda name: means[name]["mean"])
    return [
        Bar(f"interquartile mean less that of the best rival ({best})", own["mean"] - rivals[best]["mean"], ">", 0.0),
        Bar(f"its lower bound less the upper one of {best}", own["low"] - rivals[best]["high"], ">", 0.0),
        Bar(
            f"lower bound of the paired gain in it over {best}, starts resampled as well",
            figures["paired_gain_of_interquartile_mean"][best]["low"],
            ">",
            0.0,
        ),
        Bar(
            f"interquartile mean less that of {spared}, the best ablation",
            own["mean"] - means[spared]["mean"],
            ">=",
            0.0,
        ),
        Bar(f"the same of {SIX_STEPS}, which take more", own["mean"] - means[SIX_STEPS]["mean"], ">=", 0.0),
        Bar("Lift, success at the last step", figures["last"][DVF]["lift"], ">=", 0.95),
        Bar(
            "longest training of the agent over that of the library which takes least",
            figures["training_seconds"][DVF] / min(figures["training_seconds"][name] for name in LIBRARIES),
            "<=",
            1.0,
        ),
    ]


def bars_of_scarcity(figures: Mapping[str, Any], full: Mapping[str, float]) -> list[Bar]:
    """The same for scarce labels, beside the agent's final success by task with `full` ones."""
    own = _mean(figures["last"][DVF])
    best = max(LIBRARIES, key=lambda name: _mean(figures["last"][name]))
    return [
        Bar("final success as a share of that with all labels", own / _mean(full), ">=", 0.9),
        Bar(f"final success over the best library's ({best})", own / _mean(figures["last"][best]), ">=", 1.5),
    ]


def _longest(cells: Cells, name: str) -> float:
    """Seconds of one core that the longest training of a controller took."""
    return max(cell.seconds for controllers in cells.values() for cell in controllers[name].values())


def _rate(digits: str) -> float:
    return digits.count("1") / len(digits)


def _mean(by_task: Mapping[str, float]) -> float:
    return float(np.mean(list(by_task.values())))


def table(figures: Mapping[str, Any], tasks: Sequence[str]) -> Table:
    """Final success for people."""
    found = Table("controller", *tasks, "interquartile mean (95 %)", title="success at the last step")
    for name, by_task in sorted(figures["last"].items()):
        mean = figures["interquartile_mean"].get(name)
        rates = [f"{by_task[task]:.2f}" if task in by_task else "" for task in tasks]
        found.add_row(name, *rates, f"{mean['mean']:.2f} ({mean['low']:.2f} to {mean['high']:.2f})" if mean else "")
    return found
