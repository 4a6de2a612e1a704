"""A result file of several parts, each measured by a command of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from dvf_ros.core.results import Bar, circumstances, write_results

MEASURED = "measured"


def write_part(
    path: Path, part: str, figures: Mapping[str, object], bars: Sequence[Bar], seeds: Sequence[int], command: str
) -> bool:
    """Write figures and bars of one part, and leave what the file says about others; returns whether these bars hold.

    Under `measured` each part says how it was: command, commit, machine, date, seeds, and the names of its bars, which
    go with it when it is measured again. What the file says of itself is that of the newest part.
    """
    old = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"figures": {}, "bars": []}
    others = {name: about for name, about in old["figures"].items() if name != part}
    theirs = {name for about in others.values() for name in about[MEASURED]["bars"]}
    measured = circumstances(seeds, command) | {"bars": [bar.name for bar in bars]}
    kept = [Bar.of(bar) for bar in old["bars"] if bar["name"] in theirs]
    write_results(path, others | {part: {**figures, MEASURED: measured}}, [*kept, *bars], seeds, command)
    return all(bar.holds for bar in bars)
