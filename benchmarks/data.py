"""Logs at scale: `make bench-data`, QUICK=1 for a short form."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import data_conversion as conversion
from benchmarks import data_scale as scale
from dvf_ros.core.results import Bar, write_results

SEED = 0
SMALL = 10_000  # frames


def measure(quick: bool) -> dict[str, Any]:
    """All figures; in the short form a million frames instead of ten, and bags of seconds instead of minutes."""
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="dvf-") as name:
        folder = Path(name)
        parts = (
            ("conversion", lambda: conversion.speed(folder / "speed", 10.0 if quick else 60.0, 3 if quick else 7)),
            ("memory", lambda: conversion.memory(folder / "memory", 60.0 if quick else 300.0)),
            ("spread", lambda: conversion.spread(folder / "spread", 4, 10.0 if quick else 240.0)),
            ("small", lambda: scale.measure(scale.write_dataset(folder / "small", SMALL, SEED))),
            (
                "large",
                lambda: scale.measure(scale.write_dataset(folder / "large", SMALL * (100 if quick else 1000), SEED)),
            ),
        )
        for part, work in parts:
            figures[part] = work()
            print(f"{part}: {figures[part]}", flush=True)
    figures["cost_ratio"] = figures["small"]["pairs_per_s"] / figures["large"]["pairs_per_s"]
    figures["cost_ratio_with_states"] = (
        figures["small"]["pairs_with_states_per_s"] / figures["large"]["pairs_with_states_per_s"]
    )
    return figures


def bars(figures: Mapping[str, Any]) -> list[Bar]:
    """What has to hold."""
    small, large, spread = (figures[name] for name in ("small", "large", "spread"))
    million = f"{large['frames'] / 1e6:.0f} million frames"
    shares = [
        Bar(
            f"conversion speed over bare decoding by rosbags, topics at {name.replace('_', ' ')}",
            one["share"],
            ">=",
            0.5,
        )
        for name, one in figures["conversion"].items()
    ]
    return [
        *shares,
        Bar(
            "peak memory, bags 4 times as long over 1, episodes of a minute",
            figures["memory"]["minutes_growth"],
            "<=",
            1.1,
        ),
        Bar("speed-up by a second process", spread["speed_up"], ">=", 1.5),
        Bar("two processes give the same bytes", int(spread["two_processes_same"]), "==", 1),
        Bar("two shards merge to the same bytes", int(spread["merged_same"]), "==", 1),
        Bar("Ray with two workers gives the same bytes", int(spread["ray_same"]), "==", 1),
        Bar(f"longest time to open {million} (s)", large["open_s"], "<", 1.0),
        Bar("pairs per second and core at 10 thousand frames", small["pairs_per_s"], ">=", 1e6),
        Bar(f"pairs per second and core at {million}", large["pairs_per_s"], ">=", 1e6),
        Bar(f"the same with their states, at {million}", large["pairs_with_states_per_s"], ">=", 1e6),
        Bar(f"cost of a pair at {million} over that at 10 thousand", figures["cost_ratio"], "<=", 1.25),
    ]


def main() -> int:
    """Measure and write the results; 1 if a bar does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a million frames, and short bags")
    parser.add_argument("--output", type=Path, default=Path("results/data.json"))
    args = parser.parse_args()
    figures = measure(args.quick)
    found = bars(figures)
    for bar in found:
        print(f"{'holds ' if bar.holds else 'MISSED'} {bar.name}: {bar.value:.6g} {bar.op} {bar.bar:g}")
    command = f"make bench-data{' QUICK=1' if args.quick else ''}"
    return 0 if write_results(args.output, figures, found, [SEED], command) else 1


if __name__ == "__main__":
    sys.exit(main())
