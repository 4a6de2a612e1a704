"""A result file of several parts, each measured by a command of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from dvf_ros.core.results import Bar, write_results


def write_part(
    path: Path, figures: Mapping[str, object], bars: Sequence[Bar], seeds: Sequence[int], command: str
) -> bool:
    """Write figures and bars, and leave what the file says about others; returns whether these bars hold.

    Command, commit, seeds and date of the file are those of the newest part.
    """
    old = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"figures": {}, "bars": []}
    names = {bar.name for bar in bars}
    kept = [Bar(bar["name"], bar["value"], bar["op"], bar["bar"]) for bar in old["bars"] if bar["name"] not in names]
    write_results(path, old["figures"] | dict(figures), [*kept, *bars], seeds, command)
    return all(bar.holds for bar in bars)
