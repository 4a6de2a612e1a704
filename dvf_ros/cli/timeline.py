"""The picture of `dvf inspect`: when which topic of a bag spoke, and where it was silent."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np

from dvf_ros.cli.inspect import clock_words
from dvf_ros.data.inspection import Inspection, Topic
from dvf_ros.data.topic_timing import SECOND

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch

COLORS = {"state": "#2a6f97", "action": "#e08e1b", "outcome": "#4a9c5d", "none": "#8a8f98"}
NAMES = {"state": "could be state", "action": "could be action", "outcome": "outcome", "none": "other"}
GAP = "#c1272d"
MOST_ROWS = 40
HEIGHT = 0.62
FULL_CELL = 5.0  # messages that a regular topic's cell should hold, lest its colour flickers
PALEST = 0.25
NARROWEST = 0.002  # share of the picture's width that even the shortest gap gets


@matplotlib.rc_context({"text.parse_math": False})  # names are no formulas
def draw(bag: Inspection, output: Path) -> None:
    """One row per topic: its colour pale where it spoke less than usual, red where it ought to have spoken."""
    order = list(COLORS)
    topics = sorted(bag.heard, key=lambda topic: (order.index(topic.role), topic.name))
    rows = topics[:MOST_ROWS]
    figure, axes = plt.subplots(figsize=(13, 1.7 + 0.5 * max(len(rows), 1)), layout="constrained")
    span = max(bag.duration, 1e-3)
    for row, topic in enumerate(rows):
        _draw_topic(axes, row, topic, bag.start, span)
    axes.set_yticks(range(len(rows)), [topic.name for topic in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(-0.01 * span, 1.01 * span)
    axes.set_xlabel("seconds from the bag's first message; paler: fewer messages than usual")
    axes.grid(axis="x", color="#e4e4e4", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    right = axes.secondary_yaxis("right")
    right.set_yticks(range(len(rows)), [_words(topic) for topic in rows], fontsize=8, color="#404040")
    right.tick_params(length=0)
    right.spines["right"].set_visible(False)
    more = f", {len(topics) - len(rows)} more not shown" if len(topics) > len(rows) else ""
    axes.set_title(f"{bag.path.name}: {bag.duration:.1f} s, {len(topics)} topics{more}", loc="left", fontsize=11)
    present = [role for role in order if any(topic.role == role for topic in rows)]
    handles = [Patch(color=COLORS[role], label=NAMES[role]) for role in present]
    if any(topic.log.gaps for topic in rows):
        handles.append(Patch(color=GAP, label="gap"))
    figure.legend(handles=handles, loc="outside lower right", ncols=len(handles), frameon=False, fontsize=8)
    output.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(output, dpi=110)
    plt.close(figure)


def _draw_topic(axes: Axes, row: int, topic: Topic, start: int, span: float) -> None:
    line = topic.timeline
    counts, width = line.counts, line.width / SECOND
    usual = topic.log.quantile(0.5)
    while topic.log.regular and width < FULL_CELL * usual and len(counts) > 1:
        counts, width = counts.reshape(-1, 2).sum(axis=1), 2 * width
    first = (topic.log.first - start) / SECOND
    last = (topic.log.last - start) / SECOND
    heard = np.flatnonzero(counts)
    left = first + heard * width
    # The last cell ends with the last message; the narrowest must still be seen.
    right = np.maximum(np.minimum(left + width, last), left + NARROWEST * span)
    expected = width / usual if topic.log.regular else 1.0
    strength = np.clip(counts[heard] / np.minimum(expected, np.maximum(right - left, 1e-9) / width * expected), 0, 1)
    color = to_rgb(COLORS[topic.role])
    shades = [(*color, PALEST + (1 - PALEST) * share) for share in strength]
    bottom = row - HEIGHT / 2
    cells = list(zip(left, right - left, strict=True))
    axes.broken_barh(cells, (bottom, HEIGHT), facecolors=shades, linewidth=0, antialiased=False)
    for rank, (length, begin) in enumerate(topic.log.gaps):
        place, seconds = (begin - start) / SECOND, length / SECOND
        axes.broken_barh([(place, seconds)], (bottom, HEIGHT), facecolors="white", linewidth=0)
        thickness = max(seconds, NARROWEST * span)
        axes.broken_barh([(place, thickness)], (bottom, HEIGHT), facecolors=(*to_rgb(GAP), 0.25), linewidth=0)
        axes.broken_barh([(place, thickness)], (row + HEIGHT / 2 - 0.1, 0.1), facecolors=GAP, linewidth=0)
        if rank == 0 and seconds > 0.05 * span:
            axes.text(place + seconds / 2, row, f"{seconds:.1f} s", color=GAP, ha="center", va="center", fontsize=9)


def _words(topic: Topic) -> str:
    kind = topic.type.rpartition("/")[2]
    rate = f"{topic.count} in a burst" if topic.count > 1 else "1 message"
    if topic.log.duration > 1:
        rate = f"{topic.count} at {'' if topic.log.regular else '~'}{topic.log.rate:.1f} Hz"
    gaps = len(topic.log.gaps)
    return f"{kind}, {rate}{f', {gaps} gap' if gaps else ''}{'s' if gaps > 1 else ''}\n{clock_words(topic)}"
