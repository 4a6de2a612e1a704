"""Logs at scale: `make bench-data`, QUICK=1 for a short form, PART=scale for one part."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from benchmarks import data_conversion as conversion
from benchmarks import data_scale as scale
from benchmarks.parts import write_part
from dvf_ros.core.results import Bar

SEED = 0
Part = Literal["conversion", "memory", "spread", "scale"]


def measure(part: Part, folder: Path, quick: bool) -> dict[str, Any]:
    """One part; in the short form a million frames instead of ten, and bags of seconds instead of minutes."""
    if part == "conversion":
        return conversion.speed(folder, 10.0 if quick else 60.0, 3 if quick else 7)
    if part == "memory":
        return conversion.memory(folder, 60.0 if quick else 300.0)
    if part == "spread":
        return conversion.spread(folder, 4, 10.0 if quick else 600.0)
    return scale.measure(folder, 1_000_000, 10) if quick else scale.measure(folder, 10_000_000, 100)


def bars(part: Part, found: Mapping[str, Any]) -> list[Bar]:
    """What has to hold of the figures of a part."""
    if part == "conversion":
        what = "conversion speed over bare decoding by rosbags, topics at"
        return [Bar(f"{what} {name.replace('_', ' ')}", one["share"], ">=", 0.5) for name, one in found.items()]
    if part == "memory":
        name = "peak memory, bags 4 times as long over 1, episodes of a minute"
        return [Bar(name, found["minutes_growth"], "<=", 1.1)]
    if part == "spread":
        return [
            Bar("speed-up by a second process", found["speed_up"], ">=", 1.5),
            Bar("two processes give the same bytes", int(found["two_processes_same"]), "==", 1),
            Bar("two shards merge to the same bytes", int(found["merged_same"]), "==", 1),
            Bar("Ray with two workers gives the same bytes", int(found["ray_same"]), "==", 1),
        ]
    small, large = found["small"], found["large"]
    million = f"{large['frames'] / 1e6:.0f} million frames"
    return [
        Bar(f"peak memory of converting {million} over that of one bag", found["peak_growth"], "<=", 1.25),
        Bar(f"longest time to open {million} (s)", large["open_s"], "<", 1.0),
        Bar("pairs per second and core at 10 thousand frames", small["pairs_per_s"], ">=", 1e6),
        Bar(f"pairs per second and core at {million}", large["pairs_per_s"], ">=", 1e6),
        Bar(f"the same with their states, at {million}", large["pairs_with_states_per_s"], ">=", 1e6),
        Bar(f"cost of a pair at {million} over that at 10 thousand", found["cost_ratio"], "<=", 1.25),
    ]


def main() -> int:
    """Measure and write the results; 1 if a bar does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a million frames, and short bags")
    parser.add_argument("--part", choices=get_args(Part), help="this one only; what the result says of others stays")
    parser.add_argument("--output", type=Path, default=Path("results/data.json"))
    args = parser.parse_args()
    command = f"make bench-data{' QUICK=1' if args.quick else ''}{f' PART={args.part}' if args.part else ''}"
    holds = True
    for part in [args.part] if args.part else get_args(Part):
        with tempfile.TemporaryDirectory(prefix="dvf-") as folder:
            figures = measure(part, Path(folder), args.quick)
        print(f"{part}: {figures}", flush=True)
        found = bars(part, figures)
        holds &= write_part(args.output, part, figures, found, [SEED], command)
        for bar in found:
            print(f"{'holds ' if bar.holds else 'MISSED'} {bar.name}: {bar.value:.6g} {bar.op} {bar.bar:g}")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
