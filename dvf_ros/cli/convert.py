"""`dvf convert`: bags become a dataset."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.cells import cell_len
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from dvf_ros.cli.console import Console
from dvf_ros.core.spec import RobotSpec
from dvf_ros.data.bag_conversion import Options
from dvf_ros.data.bag_search import ConversionError
from dvf_ros.data.conversion import convert
from dvf_ros.data.cutting import Cutting
from dvf_ros.data.definitions import read_definitions
from dvf_ros.data.labels import read_labels
from dvf_ros.data.report import REPORT, BagReport, Report
from dvf_ros.data.sharding import convert_shard
from dvf_ros.learning.config import require_at_least

ROWS = 20  # bags, and kinds of warning, listed one by one in the summary; the report file has them all
NUMBER = re.compile(r"(?<![\w/])\d+(\.\d+)?(e[+-]?\d+)?(?![\w/])")  # by itself, and no part of a name


@dataclass(frozen=True)
class Convert:
    """Convert bags to one memory-mapped dataset, through the code that aligns topics live.

    The same inputs give the same dataset: a second run does nothing, an interrupted one goes on. Exit status 1 if
    a bag could not be read; the others are converted all the same.
    """

    # One list: of two positional ones, options after them would leave the second empty.
    paths: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="BAG [BAG ...] DATASET")]
    """Bags (folders, .mcap, .db3), or folders that contain bags; last, the folder of the dataset: a new one, or
    that of an earlier conversion of these bags."""
    spec: Path | None = None
    """Robot spec; by default the one in the bags' metadata."""
    namespace: str | None = None
    """Namespace of the recorded topics, e.g. /robot1; by default found bag by bag."""
    min_frames: int = 2
    """Shortest episode to keep."""
    msg_path: Path | None = None
    """Folder with the .msg files (PACKAGE/msg/NAME.msg) of types that the bags do not embed."""
    jobs: int | None = None
    """Processes; by default one a core. With --ray, bags at a time; by default as many as the cluster has CPUs."""
    longest: bool = False
    """One episode per bag: the longest stretch without a gap."""
    length: float = 0.0
    """Cut episodes that last longer (s); 0: no limit."""
    start_on: tuple[str, ...] = ()
    """A message on one of these topics begins an episode; of a service, SERVICE/_service_event."""
    end_on: tuple[str, ...] = ()
    """A message on one of these topics ends an episode."""
    behavior_pattern: str = ""
    """Regular expression that finds a bag's behavior in its path: group `behavior`, else the first, else all."""
    behavior_table: Path | None = None
    """Behaviors by name of the bag: CSV with the columns bag and behavior, or YAML; before pattern and metadata."""
    shard: str = ""
    """i/n: convert only this share of the bags (i from 0); `dvf merge` makes one dataset of all n."""
    ray: bool = False
    """Convert as a Ray Data job; RAY_ADDRESS names the cluster, else one is started here."""

    def __post_init__(self) -> None:
        require_at_least(self, 1, "min_frames", "jobs")
        require_at_least(self, 0, "length")


def main(args: Convert) -> int:
    """Convert, and print what became of the bags; returns the exit status."""
    if len(args.paths) < 2:
        raise ConversionError(f"expected bags and then the folder of the dataset, found {len(args.paths)} path(s)")
    if args.shard and args.ray:
        raise ConversionError("expected --shard or --ray, found both; Ray deals the bags out by itself")
    *bags, dataset = args.paths
    console = Console()
    spec = RobotSpec.load(args.spec) if args.spec else None
    definitions = read_definitions(args.msg_path) if args.msg_path else {}
    cutting = Cutting(args.longest, args.length, args.start_on, args.end_on)
    options = Options(args.min_frames, args.namespace, tuple(definitions.items()), cutting)
    labels = read_labels(args.behavior_pattern, args.behavior_table)
    if args.ray:
        from dvf_ros.data.ray_job import convert_on_ray

        report = convert_on_ray(bags, dataset, spec, options, args.jobs, labels)
        summarize(report, dataset, console)
        return 1 if report.broken else 0
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

        if args.shard:
            share = _share(args.shard)
            made = convert_shard(bags, dataset, share, spec, options, args.jobs, advance, labels)
        else:
            report = convert(bags, dataset, spec, options, args.jobs, advance, labels)
    if args.shard:
        broken = [bag for bag in made if bag.status == "broken"]
        for bag in broken:
            console.print(f"{escape(bag.source)}: {escape(bag.reason)}")
        words = f"{len(made)} bags in '{dataset}'; when all shards are there: dvf merge SHARD… DATASET"
        console.print(words, markup=False)
        return 1 if broken else 0
    if report.unchanged:
        console.print(f"nothing to do: '{dataset}' was made from these bags", markup=False)
    summarize(report, dataset, console)
    return 1 if report.broken else 0


def _share(text: str) -> tuple[int, int]:
    index, slash, count = text.partition("/")
    if not (slash and index.isdecimal() and count.isdecimal()):
        raise ConversionError(f"--shard: expected i/n such as 0/4, found '{text}'")
    return int(index), int(count)


def summarize(report: Report, dataset: Path, console: Console) -> None:
    """Print what became of the bags, those that need attention first."""
    table = Table("bag", "status", "episodes", "frames", "actions known", "ticks dropped", "why", box=None)
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
    for warning in (*_common_warnings(report), *report.warnings):
        console.print(f"[bold red]![/] {escape(warning)}")
    words = _behaviors(report, console.width)
    console.print(words, markup=False, highlight=False, no_wrap=True, overflow="ellipsis")
    broken = f", {len(report.broken)} broken" if report.broken else ""
    console.print(
        f"{report.episodes} episodes, {report.frames} frames from {len(report.bags)} bags{broken}: '{dataset}'; "
        f"all of it in {dataset / REPORT}",
        markup=False,
    )


def _behaviors(report: Report, width: int) -> str:
    """The behaviors and how many episodes each has, those of most first, as many as fit a line."""
    items = [f"{name or 'not named'} ({count})" for name, count in report.behaviors.items()]
    line = "episodes by behavior: "
    for shown, item in enumerate(items):
        longer = f"{line}, {item}" if shown else f"{line}{item}"
        rest = len(items) - shown - 1
        if shown and cell_len(f"{longer}, … and {rest} more" if rest else longer) > width:
            return f"{line}, … and {rest + 1} more"
        line = longer
    return line


def _common_warnings(report: Report) -> list[str]:
    """The bags' own warnings, those of most bags first; what differs in its numbers only is said once, for one bag."""
    bags_of: dict[str, dict[str, str]] = {}
    for bag in report.bags:
        for warning in bag.warnings:
            bags_of.setdefault(NUMBER.sub("#", warning), {}).setdefault(bag.source, warning)
    groups = sorted(bags_of.values(), key=len, reverse=True)
    said = []
    for group in groups[:ROWS]:
        source, warning = next(iter(group.items()))
        said.append(f"{source}: {warning}" if len(group) == 1 else f"{len(group)} bags, such as {source}: {warning}")
    return [*said, f"… and {len(groups) - ROWS} more kinds of warning"] if len(groups) > ROWS else said
