"""What a step of training costs, beside what the machine could do: `make bench-training`, QUICK=1 for a short form."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dvf_ros.core.results import Bar, write_results

TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
WAYS: dict[str, tuple[tuple[str, ...], int]] = {  # how Python is started, and threads
    "one_thread": ((), 1),
    "two_threads": ((), 2),
    "two_processes": (TORCHRUN, 1),
}
Steps = dict[str, dict[str, float]]


def run(launcher: Sequence[str], threads: int, updates: int) -> Steps:
    """The steps of one way to train, by stage."""
    with tempfile.TemporaryDirectory(prefix="dvf-") as folder:
        output = Path(folder) / "steps.json"
        words = [sys.executable, *launcher, "-m", "benchmarks.training_steps", str(output)]
        subprocess.run([*words, "--threads", str(threads), "--updates", str(updates)], check=True)
        return dict(json.loads(output.read_text()))


def summarise(rounds: Sequence[Steps]) -> dict[str, Any]:
    """Of the median round: a step's time, samples per second and share of the machine's speed; minutes of all steps."""
    figures: dict[str, Any] = {}
    seconds = 0.0
    for stage, about in rounds[0].items():
        step = float(np.median([steps[stage]["seconds"] for steps in rounds]))
        speed = max(steps[stage]["machine_flops"] for steps in rounds)
        seconds += step * about["updates"]
        figures[stage] = {
            "ms": 1e3 * step,
            "samples_per_second": about["rows"] / step,
            "gflop": about["flop"] / 1e9,
            "gflop_per_second": about["flop"] / step / 1e9,
            "machine_gflop_per_second": speed / 1e9,
            "share_of_machine": about["flop"] / step / speed,
        }
    return figures | {"minutes": seconds / 60}


def bars(figures: Mapping[str, Any]) -> list[Bar]:
    """The Lift agent is trained in ten minutes on two cores."""
    quickest = min(figures[way]["minutes"] for way in WAYS)
    return [Bar("minutes of all steps of the shipped agent's training, the quickest way", quickest, "<=", 10.0)]


def main() -> int:
    """Measure and write the results; 1 if a bar does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of few steps")
    parser.add_argument("--output", type=Path, default=Path("results/training.json"))
    args = parser.parse_args()
    rounds, updates = (1, 10) if args.quick else (3, 60)
    before = os.getloadavg()[0]
    measured = [{way: run(*how, updates) for way, how in WAYS.items()} for _ in range(rounds)]
    figures: dict[str, Any] = {way: summarise([one[way] for one in measured]) for way in WAYS}
    alone = figures["one_thread"]["minutes"]
    figures |= {f"speed_up_{way}": alone / figures[way]["minutes"] for way in ("two_threads", "two_processes")}
    figures["load_before"] = before  # of others, in running processes
    found = bars(figures)
    for way in WAYS:
        print(f"{way}: {figures[way]['minutes']:.1f} min")
        for stage, about in figures[way].items():
            if stage != "minutes":
                print(
                    f"  {stage}: {about['ms']:.1f} ms, {about['samples_per_second']:.0f} samples/s, "
                    f"{about['share_of_machine']:.0%} of {about['machine_gflop_per_second']:.0f} GFLOP/s"
                )
    for bar in found:
        print(f"{'holds ' if bar.holds else 'MISSED'} {bar.name}: {bar.value:.3g} {bar.op} {bar.bar:g}")
    command = f"make bench-training{' QUICK=1' if args.quick else ''}"
    return 0 if write_results(args.output, figures, found, [0], command) else 1


if __name__ == "__main__":
    sys.exit(main())
