"""`python -m benchmarks.latency`: how long a decision takes, and whether haste changes it (`make bench-latency`)."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from benchmarks.latency.agreement import EXACT_FUTURES, EXACT_STEPS, exact, paired_episodes, rank_agreement
from benchmarks.latency.floor import time_products
from benchmarks.latency.neighbour import busy_neighbour
from benchmarks.latency.ticks import percentiles, time_growth, time_ticks
from dvf_ros.cli.evaluate import paired_interval
from dvf_ros.core.results import Bar, write_results
from dvf_ros.learning.checkpoint import load_checkpoint

PERIOD = 0.05
"""s between two decisions whose time is taken."""

SLOW_FUTURES, SLOW_STEPS = 64, 25
"""The exact sampler in closed loop: as much work as 16 futures at 100 steps, better spent."""


@dataclass(frozen=True)
class Latency:
    """Measure a decision of the shipped checkpoint beside the simulation, which keeps another core busy."""

    checkpoint: Path = Path("resource/panda_lift.yaml")
    """The agent."""
    ticks: int = 2000
    """Decisions whose time is taken, one each 50 ms, as at 20 Hz."""
    exact_ticks: int = 10
    """Decisions of the plain sampler with 100 steps."""
    growth_ticks: int = 30
    """Decisions behind each median of how the time grows."""
    states: int = 40
    """States in which the ranking is compared."""
    episodes: int = 100
    """Paired episodes, fast and exact."""
    first_seed: int = 200_000
    """Episodes take the seeds from this one on; the states are those of the first of them."""
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
    """Measure; status 1 if a bar does not hold."""
    agent = load_checkpoint(args.checkpoint)
    usual, spec = agent.decision, agent.spec
    seeds = range(args.first_seed, args.first_seed + args.episodes)
    console = Console()
    decisions = {"fast": usual, "exact": exact(usual, SLOW_FUTURES, SLOW_STEPS)}
    outcomes = dict(paired_episodes(args.checkpoint, decisions, seeds, args.steps, args.processes))
    success = {name: np.array([item.ever for item in episodes], float) for name, episodes in outcomes.items()}
    difference = success["fast"] - success["exact"]
    visited = np.concatenate([item.states for item in outcomes["fast"]])
    states = visited[np.linspace(0, len(visited) - 1, args.states).astype(int)]
    agreement = rank_agreement(agent, states)
    with busy_neighbour(spec.task, spec.rate):
        tick = {name: percentiles(times) for name, times in time_ticks(agent, states, args.ticks, PERIOD).items()}
        floor, work = time_products(agent, states[0], args.ticks)
        growth = time_growth(agent, states, args.growth_ticks)
        agent.configure(exact(usual, usual.futures, EXACT_STEPS))
        plain = {name: percentiles(times) for name, times in time_ticks(agent, states, args.exact_ticks, 0.0).items()}
        agent.configure(usual)
    figures = {
        "device": str(agent.device),
        "neighbour": f"the simulation of {spec.task}, on a core of its own",
        "candidates": usual.candidates,
        "futures": usual.futures,
        "tick": tick,
        f"exact sampler, {EXACT_STEPS} steps": plain,
        "matrix products": {"p50_ms": floor, "million_operations": work},
        "times the matrix products": tick["total"]["p50_ms"] / floor,
        "growth, p50 ms": growth,
        f"spearman with {EXACT_STEPS} steps x {EXACT_FUTURES} futures": {"states": len(states)} | agreement,
        "episodes": {
            "count": len(seeds),
            "fast": float(success["fast"].mean()),
            f"exact, {SLOW_STEPS} steps x {SLOW_FUTURES} futures": float(success["exact"].mean()),
            "difference": float(difference.mean()),
            "paired_95": paired_interval(difference),
        },
    }
    bars = [
        Bar("tick p99, ms", tick["total"]["p99_ms"], "<=", 15.0),
        Bar("longest tick, ms: half of the period at 20 Hz", tick["total"]["max_ms"], "<=", 25.0),
        Bar("tick over its matrix products alone", tick["total"]["p50_ms"] / floor, "<=", 2.0),
        Bar("Spearman of scores with the exact sampler's, all states pooled", agreement["pooled"], ">=", 0.95),
        Bar("success, fast less exact, either way", abs(float(difference.mean())), "<=", 0.02),
    ]
    console.print(_table({"tick": tick, f"exact, {EXACT_STEPS} steps": plain}))
    for name, medians in growth.items():
        console.print(f"p50 by {name}: " + ", ".join(f"{key}: {value:.1f} ms" for key, value in medians.items()))
    console.print(f"matrix products alone: {floor:.2f} ms")
    for bar in bars:
        console.print(f"{'ok  ' if bar.holds else 'FAIL'} {bar.name}: {bar.value:.3f} {bar.op} {bar.bar:g}")
    return 0 if write_results(args.result, figures, bars, list(seeds), command="make bench-latency") else 1


def _table(rows: dict[str, dict[str, dict[str, float]]]) -> Table:
    table = Table("", "stage", "p50 ms", "p95", "p99", "max")
    for name, stages in rows.items():
        for stage, times in stages.items():
            table.add_row(name, stage, *(f"{value:.2f}" for value in times.values()))
    return table


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Latency, default=QUICK if os.environ.get("QUICK") == "1" else Latency())))
