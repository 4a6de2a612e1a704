"""`dvf inspect`: what is in a bag, and what about it is odd."""

from __future__ import annotations

import datetime
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import JustifyMethod
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from dvf_ros.cli.console import Console
from dvf_ros.cli.picture_path import require_picture
from dvf_ros.data.bag_search import find_bags
from dvf_ros.data.bag_storage import BagError
from dvf_ros.data.definitions import read_definitions
from dvf_ros.data.inspection import Inspection, Topic, inspect_bag

LONGEST_VALUE = 100  # characters of recorder metadata shown; a spec has many
COLORS = {"state": "cyan", "action": "yellow", "outcome": "green", "none": "dim"}
COLUMNS: dict[str, JustifyMethod] = {
    "topic": "left",
    "type": "left",
    "definition": "left",
    "messages": "right",
    "rate Hz": "right",
    "jitter ms": "right",
    "longest silence s": "right",
    "gaps": "right",
    "header's clock": "left",
    "could be": "left",
}
WIDEST = 10_000  # characters that a table may ask for


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
    if args.output:
        require_picture(args.output)
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
    topics = sorted(bag.heard, key=lambda topic: (list(COLORS).index(topic.role), topic.name))
    rows = [_row(topic) for topic in topics]
    table = Table(box=None, header_style="bold")
    for name, justify in COLUMNS.items():
        table.add_column(name, justify=justify)
    for row in rows:
        table.add_row(*row)
    if console.measure(table, options=console.options.update(width=WIDEST)).maximum <= console.width:
        console.print(table)
    else:
        _print_listed(rows, console)
    if silent := [topic.name for topic in bag.topics.values() if not topic.count]:
        console.print(f"without messages: {escape(', '.join(silent))}", style="dim")
    for key, value in bag.custom.items():
        short = value if len(value) <= LONGEST_VALUE and "\n" not in value else f"({len(value.splitlines())} lines)"
        console.print(f"recorder: {escape(key)} = {escape(short)}")
    for warning in bag.warnings:
        console.print(f"[bold red]![/] {escape(warning)}")


def _print_listed(rows: list[tuple[str, ...]], console: Console) -> None:
    """The same for a terminal that is too narrow for the table; no topic's name is broken, however long it is."""
    for name, kind, *cells in rows:
        between = "  " if len(f"{name}  {kind}") <= console.width else "\n    "
        console.print(f"[bold]{name}[/]{between}{kind}", soft_wrap=True)
        said = [f"{column}: {cell}" for column, cell in zip(list(COLUMNS)[2:], cells, strict=True) if cell]
        console.print(Padding("; ".join(said), (0, 0, 0, 4)))


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
