"""`python -m benchmarks.latency`: how long a decision takes, and whether haste changes it (`make bench-latency`).

`--part time` (or any other) runs by itself and leaves what the result file says about the others.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from benchmarks.latency.agreement import (
    EXACT_FUTURES,
    EXACT_STEPS,
    exact,
    paired_episodes,
    rank_agreement,
    visited_states,
)
from benchmarks.latency.floor import time_products
from benchmarks.latency.neighbour import busy_neighbour
from benchmarks.latency.ticks import percentiles, time_growth, time_ticks
from benchmarks.parts import write_part
from dvf_ros.cli.evaluate import paired_interval
from dvf_ros.core.results import Bar
from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.checkpoint import load_checkpoint

PERIOD = 0.05
"""s between two decisions whose time is taken."""

SLOW_FUTURES, SLOW_STEPS = 64, 25
"""The exact sampler in closed loop: as much work as 16 futures at 100 steps, better spent."""


Part = Literal["time", "ranking", "episodes"]


@dataclass(frozen=True)
class Latency:
    """Measure decisions of the shipped checkpoint: their time, their ranking of candidates, their success."""

    part: tuple[Part, ...] = ("time", "ranking", "episodes")
    """Which parts; what the result file says about the others stays."""
    checkpoint: Path = Path("resource/panda_lift.yaml")
    """The agent."""
    ticks: int = 2000
    """Decisions whose time is taken, one each 50 ms, as at 20 Hz."""
    exact_ticks: int = 10
    """Decisions of the plain sampler with 100 steps."""
    growth_ticks: int = 30
    """Decisions behind each median of how the time grows."""
    states: int = 24
    """States in which the ranking is compared."""
    episodes: int = 100
    """Paired episodes, fast and exact."""
    first_seed: int = 200_000
    """Episodes take the seeds from this one on; states are those of the first few."""
    steps: int = 120
    """Control steps per episode."""
    processes: int = 2
    """Episodes that run at the same time."""
    result: Path = Path("results/latency.json")
    """Where the figures go."""


QUICK = Latency(
    ticks=100, exact_ticks=2, growth_ticks=5, states=2, episodes=2, result=Path("results/latency_quick.json")
)


def main(args: Latency) -> int:
    """Run the parts; status 1 if a bar does not hold."""
    agent = load_checkpoint(args.checkpoint)
    parts: dict[Part, Callable[[DvfAgent, Latency], tuple[dict[str, object], list[Bar]]]] = {
        "time": measure_time,
        "ranking": measure_ranking,
        "episodes": measure_episodes,
    }
    command = shlex.join(["python", "-m", "benchmarks.latency", *sys.argv[1:]])
    seeds = range(args.first_seed, args.first_seed + args.episodes)
    holds = True
    for part in args.part:
        figures, bars = parts[part](agent, args)
        holds &= write_part(args.result, part, figures, bars, seeds, command)
        for bar in bars:
            print(f"{'ok  ' if bar.holds else 'FAIL'} {bar.name}: {bar.value:.3f} {bar.op} {bar.bar:g}", flush=True)
    return 0 if holds else 1


def measure_time(agent: DvfAgent, args: Latency) -> tuple[dict[str, object], list[Bar]]:
    """A decision by stage, the plain sampler, the floor of matrix products, and growth."""
    usual, spec = agent.decision, agent.spec
    states = visited_states(agent, args.first_seed, args.steps)
    with busy_neighbour(spec.task, spec.rate):
        tick = {name: percentiles(times) for name, times in time_ticks(agent, states, args.ticks, PERIOD).items()}
        unpaced = time_ticks(agent, states, args.growth_ticks * 10, 0.0)["total"]
        floor, work = time_products(agent, states[0], args.growth_ticks * 10)
        growth = time_growth(agent, states, args.growth_ticks)
        agent.configure(exact(usual, usual.futures, EXACT_STEPS))
        plain = {name: percentiles(times) for name, times in time_ticks(agent, states, args.exact_ticks, 0.0).items()}
        agent.configure(usual)
    ratio = float(np.median(unpaced)) / floor
    Console().print(_table({"tick": tick, f"exact, {EXACT_STEPS} steps": plain}))
    for name, medians in growth.items():
        print(f"p50 by {name}: " + ", ".join(f"{key}: {value:.1f} ms" for key, value in medians.items()))
    print(f"matrix products alone: {floor:.2f} ms; a decision right after another: {np.median(unpaced):.2f} ms")
    figures: dict[str, object] = {
        "device": str(agent.device),
        "neighbour": f"the simulation of {spec.task}, on a core of its own",
        "candidates": usual.candidates,
        "futures": usual.futures,
        "ticks": args.ticks,
        "tick": tick,
        "tick right after another": percentiles(unpaced),
        f"exact sampler, {EXACT_STEPS} steps": plain,
        "matrix products": {"p50_ms": floor, "million_operations": work},
        "times the matrix products": ratio,
        "growth, p50 ms": growth,
    }
    return figures, [
        Bar("tick p99, ms", tick["total"]["p99_ms"], "<=", 15.0),
        Bar("longest tick, ms: half of the period at 20 Hz", tick["total"]["max_ms"], "<=", 25.0),
        Bar("tick over its matrix products alone, both right after another", ratio, "<=", 2.0),
    ]


def measure_ranking(agent: DvfAgent, args: Latency) -> tuple[dict[str, object], list[Bar]]:
    """Scores beside those of the exact sampler, in states where things also go wrong, and in the controller's own."""
    usual = agent.decision
    figures: dict[str, object] = {"exact": f"{EXACT_STEPS} steps, {EXACT_FUTURES} futures"}
    for name, settings in (("recorded", replace(usual, policy="prior", prior_temperature=1.0)), ("own", usual)):
        agent.configure(settings)
        visited = visited_states(agent, args.first_seed, args.steps)
        agent.configure(usual)
        states = visited[np.linspace(0, len(visited) - 1, args.states).astype(int)]
        figures[name] = found = {"states": len(states)} | rank_agreement(agent, states)
        if name == "recorded":
            pooled = found["pooled"]
    print(json.dumps(figures, indent=1))
    return figures, [Bar("Spearman of scores with the exact sampler's, states pooled", pooled, ">=", 0.95)]


def measure_episodes(agent: DvfAgent, args: Latency) -> tuple[dict[str, object], list[Bar]]:
    """Success of both on the same seeds."""
    seeds = range(args.first_seed, args.first_seed + args.episodes)
    decisions = {"fast": agent.decision, "exact": exact(agent.decision, SLOW_FUTURES, SLOW_STEPS)}
    outcomes = dict(paired_episodes(args.checkpoint, decisions, seeds, args.steps, args.processes))
    success = {name: np.array([item.ever for item in episodes], float) for name, episodes in outcomes.items()}
    difference = success["fast"] - success["exact"]
    figures: dict[str, object] = {
        "count": len(seeds),
        "exact": f"{SLOW_STEPS} steps, {SLOW_FUTURES} futures, scored by these alone",
        "success": {name: float(values.mean()) for name, values in success.items()},
        "difference": float(difference.mean()),
        "paired_95": paired_interval(difference),
    }
    return figures, [Bar("success, fast less exact, either way", abs(float(difference.mean())), "<=", 0.02)]


def _table(rows: dict[str, dict[str, dict[str, float]]]) -> Table:
    table = Table("", "stage", "p50 ms", "p95", "p99", "max")
    for name, stages in rows.items():
        for stage, times in stages.items():
            table.add_row(name, stage, *(f"{value:.2f}" for value in times.values()))
    return table


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Latency, default=QUICK if os.environ.get("QUICK") == "1" else Latency())))
