"""`dvf convert`: bags become a dataset."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from dvf_ros.core.spec import RobotSpec
from dvf_ros.data.conversion import REPORT, ConversionError, Options, convert
from dvf_ros.data.definitions import read_definitions
from dvf_ros.data.report import BagReport, Report

ROWS = 20  # bags listed one by one in the summary; the report file has them all


@dataclass(frozen=True)
class Convert:
    """Convert bags to one memory-mapped dataset, through the code that aligns topics live.

    The same inputs give the same dataset: a second run does nothing, an interrupted one goes on. Exit status 1 if
    a bag could not be read; the others are converted all the same.
    """

    # One list: of two positional ones, options after them would leave the second empty.
    paths: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="BAG [BAG ...] DATASET")]
    """Bags (folders, .mcap, .db3), or folders that contain bags; last, the folder of the dataset."""
    spec: Path | None = None
    """Robot spec; by default the one in the bags' metadata."""
    namespace: str | None = None
    """Namespace of the recorded topics, e.g. /robot1; by default found bag by bag."""
    min_frames: int = 2
    """Shortest episode to keep."""
    msg_path: Path | None = None
    """Folder with the .msg files (PACKAGE/msg/NAME.msg) of types that the bags do not embed."""
    jobs: int | None = None
    """Processes; by default one a core."""


def main(args: Convert) -> int:
    """Convert, and print what became of the bags; returns the exit status."""
    if len(args.paths) < 2:
        raise ConversionError(f"expected bags and then the folder of the dataset, found {len(args.paths)} path(s)")
    *bags, dataset = args.paths
    console = Console()
    spec = RobotSpec.load(args.spec) if args.spec else None
    definitions = read_definitions(args.msg_path) if args.msg_path else {}
    options = Options(args.min_frames, args.namespace, tuple(definitions.items()))
    columns = (
        TextColumn("converting"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[bag]}"),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("convert", total=None, bag="")

        def advance(done: int, total: int, bag: BagReport) -> None:
            bar.update(task, completed=done, total=total, bag=escape(bag.source))

        report = convert(bags, dataset, spec, options, args.jobs, advance)
    if report.unchanged:
        console.print(f"nothing to do: '{dataset}' was made from these bags")
    _summarize(report, dataset, console)
    return 1 if report.broken else 0


def _summarize(report: Report, dataset: Path, console: Console) -> None:
    table = Table("bag", "status", "episodes", "frames", "actions known", "ticks dropped", "why", box=None)
    # What needs attention first.
    bags = sorted(report.bags, key=lambda bag: (bag.status == "converted", -sum(bag.dropped.values())))
    for bag in bags[:ROWS]:
        why = [bag.reason or "; ".join(f"{reason} ({n})" for reason, n in bag.dropped.items()), bag.note]
        why += [f"message refused: {reason} ({n})" for reason, n in bag.refused.items()]
        dropped = f"{sum(bag.dropped.values())} of {bag.ticks}"
        coverage = f"{bag.action_coverage:.0%}" if bag.frames else ""
        row = (
            bag.source,
            bag.status,
            str(len(bag.kept)),
            str(bag.frames),
            coverage,
            dropped,
            "; ".join(filter(None, why)),
        )
        table.add_row(*map(escape, row))
    console.print(table)
    if len(bags) > ROWS:
        console.print(f"… and {len(bags) - ROWS} more")
    broken = f", {len(report.broken)} broken" if report.broken else ""
    console.print(
        f"{report.episodes} episodes, {report.frames} frames from {len(report.bags)} bags{broken}: '{dataset}'; "
        f"all of it in {dataset / REPORT}"
    )
