"""`dvf inspect`: what is in a bag, and what about it is odd."""

from __future__ import annotations

import datetime
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dvf_ros.core.parsing import ConfigError
from dvf_ros.data.bag_search import find_bags
from dvf_ros.data.bag_storage import BagError
from dvf_ros.data.definitions import read_definitions
from dvf_ros.data.inspection import Inspection, Topic, inspect_bag

LONGEST_VALUE = 100  # characters of recorder metadata shown; a spec has many
COLORS = {"state": "cyan", "action": "yellow", "outcome": "green", "none": "dim"}
PICTURES = (".png", ".pdf", ".svg")


@dataclass(frozen=True)
class Inspect:
    """Say what is in a bag: topics, rates, gaps, jitter, clocks, what could be a state or an action, what is odd."""

    bag: Annotated[Path, tyro.conf.Positional]
    """A bag: folder, .mcap, .db3 or .zstd of one; whole, split, renamed, or cut off."""
    output: Path | None = None
    """Where a picture goes: when which topic spoke, and its gaps (PNG, PDF or SVG)."""
    msg_path: Path | None = None
    """Folder with the .msg files (PACKAGE/msg/NAME.msg) of types that the bag does not embed."""


def main(args: Inspect) -> int:
    """Print the table and the warnings, and draw the picture."""
    if args.output and args.output.suffix.lower() not in PICTURES:
        raise ConfigError(
            f"--output: expected a picture's name, with one of {', '.join(PICTURES)}; found '{args.output}'"
        )
    found = inspect_bag(one_bag(args.bag), read_definitions(args.msg_path) if args.msg_path else {})
    console = Console()
    _print(found, console)
    if args.output:
        from dvf_ros.cli.timeline import draw  # matplotlib takes a second that the table need not wait for

        draw(found, args.output)
        console.print(f"picture: {escape(str(args.output))}")
    return 0


def one_bag(path: Path) -> Path:
    """The bag that `path` is or holds; raises BagError where there are several, ConversionError where none."""
    bags = find_bags([path])
    if len(bags) > 1:
        names = ", ".join(f"'{bag.name}'" for bag in bags[:5])
        raise BagError(f"'{path}' holds {len(bags)} bags; name one of them: {names}{', …' if len(bags) > 5 else ''}")
    return bags[0]


def _print(bag: Inspection, console: Console) -> None:
    start = datetime.datetime.fromtimestamp(bag.start / 1e9, datetime.UTC)
    count = sum(topic.count for topic in bag.heard)
    console.print(
        f"[bold]{escape(bag.path.name)}[/]: {count} messages of {len(bag.heard)} topics in {bag.duration:.1f} s"
        f" from {start:%Y-%m-%d %H:%M:%S} UTC"
    )
    table = Table(box=None, header_style="bold")
    for name in ("topic", "type", "definition"):
        table.add_column(name, overflow="fold")
    for name in ("messages", "rate Hz", "jitter ms", "longest silence s", "gaps"):
        table.add_column(name, justify="right")
    table.add_column("header's clock")
    table.add_column("could be")
    for topic in sorted(bag.heard, key=lambda topic: (list(COLORS).index(topic.role), topic.name)):
        table.add_row(*_row(topic))
    console.print(table)
    if silent := [topic.name for topic in bag.topics.values() if not topic.count]:
        console.print(f"without messages: {escape(', '.join(silent))}", style="dim")
    for key, value in bag.custom.items():
        short = value if len(value) <= LONGEST_VALUE and "\n" not in value else f"({len(value.splitlines())} lines)"
        console.print(f"recorder: {escape(key)} = {escape(short)}")
    for warning in bag.warnings:
        console.print(f"[bold red]![/] {escape(warning)}")


def _row(topic: Topic) -> tuple[str, ...]:
    log = topic.log
    usual = log.count > 1 and log.duration > 1
    jitter = f"{log.jitter * 1000:.1f}" if usual and math.isfinite(log.jitter) else ""
    color = COLORS[topic.role]
    return (
        escape(topic.name),
        escape(topic.type),
        topic.definition if topic.definition != "unknown" else "[red]unknown[/]",
        str(topic.count),
        (f"{log.rate:.1f}" if log.regular else f"~{log.rate:.1f}") if usual else "",
        jitter,
        f"{log.longest_s:.2f}" if usual else "",
        str(len(log.gaps)) if log.regular else "",
        clock_words(topic),
        f"[{color}]{topic.role if topic.role != 'none' else '-'}[/] [dim]{escape(topic.why)}[/]",
    )


def clock_words(topic: Topic) -> str:
    """What the topic's header stamps are, in a few words."""
    clock = topic.header
    if clock is None:
        return "no header" if not topic.problem else "not known"
    if not clock.intervals.count:
        return "zero"
    if clock.simulated:
        return f"simulated, {clock.pace:.2f} s/s"
    least, most = clock.offset
    return f"{least * 1000:.0f} to {most * 1000:.0f} ms before the log"
