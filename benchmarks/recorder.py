"""The recorder under load, killed, slowed and on a full disk: `make bench-recorder`, QUICK=1 for a short form."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.recording_faults import full_disk, killed
from benchmarks.recording_load import loaded, slowed
from benchmarks.recording_rig import rig
from dvf_ros.core.results import Bar, write_results

SEED = 0


def measure(quick: bool) -> dict[str, Any]:
    """All figures of the recorder; in the short form 10 s of load and 6 kills instead of 10 minutes and 60."""
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="dvf-") as folder, rig(Path(folder)) as made:
        for name, part in (
            ("rate", lambda: slowed(made)),
            ("disk_full", lambda: full_disk(made)),
            ("killed", lambda: killed(Path(folder), 6 if quick else 60, SEED)),
            ("load", lambda: loaded(made, 10.0 if quick else 600.0)),
        ):
            figures[name] = part()
            print(f"{name}: {figures[name]}", flush=True)
    return figures


def bars(figures: Mapping[str, Any]) -> list[Bar]:
    """What has to hold."""
    load, kill, disk, rate = (figures[name] for name in ("load", "killed", "disk_full", "rate"))
    return [
        Bar("low-dimensional messages lost under load", load["low_lost"], "==", 0),
        Bar("share of images lost under load", load["image_lost_share"], "<=", 0.001),
        Bar("losses that the recorder did not count", load["uncounted"], "==", 0),
        Bar("longest time to a warning of a low rate (s)", rate["longest_s"], "<=", 1.0),
        Bar("topics warned of before their rate fell", len(rate["too_early"]), "==", 0),
        Bar("most that a SIGKILL lost (s)", kill["worst_lost_s"], "<=", 1.0),
        Bar("killed bags that were salvaged", kill["salvaged"], "==", kill["bags"]),
        Bar("messages read back after the disk was full", disk["readable"], ">", 0),
        Bar("most that a full disk lost (s)", disk["lost_s"], "<=", 1.0),
        Bar("bags from a full disk that were salvaged", disk["salvaged"], "==", 1),
        Bar("services that answered success on a full disk", disk["successes"], "==", 0),
        Bar("messages without all three times", load["without_times"], "==", 0),
    ]


def main() -> int:
    """Measure and write the results; 1 if a bar does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="10 s of load and 6 kills")
    parser.add_argument("--output", type=Path, default=Path("results/recorder.json"))
    args = parser.parse_args()
    figures = measure(args.quick)
    command = f"make bench-recorder{' QUICK=1' if args.quick else ''}"
    return 0 if write_results(args.output, figures, bars(figures), [SEED], command) else 1


if __name__ == "__main__":
    sys.exit(main())
