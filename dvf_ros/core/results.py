"""The one format in which every measuring command says what it measured."""

from __future__ import annotations

import json
import math
import operator
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from dvf_ros.core.writing import write_text

OPERATORS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt, "==": operator.eq}


@dataclass(frozen=True)
class Bar:
    """What a figure has to reach: `value op bar`."""

    name: str
    value: float
    op: str
    bar: float

    @property
    def holds(self) -> bool:
        """Whether the bar is met; NaN meets none."""
        return bool(OPERATORS[self.op](self.value, self.bar))

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Bar:
        """The bar that a result file holds; there a value that nobody could measure is null."""
        value = math.nan if record["value"] is None else record["value"]
        return cls(record["name"], value, record["op"], record["bar"])


def write_results(
    path: str | Path, figures: Mapping[str, object], bars: Sequence[Bar], seeds: Sequence[int], command: str = ""
) -> bool:
    """Write `figures` and `bars` as JSON, named after the file; returns whether all bars hold.

    `command` is what to run to measure again; by default, what this process was started with. Numbers that are not
    finite become null, since JSON has none.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    record = {
        "name": path.stem,
        **circumstances(seeds, command),
        "figures": figures,
        "bars": [asdict(bar) | {"holds": bar.holds} for bar in bars],
    }
    write_text(path, json.dumps(_plain(record), indent=1, allow_nan=False) + "\n")
    return all(bar.holds for bar in bars)


def circumstances(seeds: Sequence[int], command: str = "") -> dict[str, object]:
    """What was run, of which commit, where, when and with which seeds; see write_results."""
    return {
        "command": command or shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "commit": commit(),
        "machine": machine(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "seeds": list(seeds),
    }


def commit() -> str:
    """The commit that runs, with `+changes` for an edited checkout; `unknown` outside of one.

    An installed copy may lie in somebody else's repository, which does not have this file.
    """
    here = Path(__file__).resolve()

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", *words], cwd=here.parent, capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", here.name)
        return git("rev-parse", "HEAD") + ("+changes" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def machine() -> str:
    """Processor, cores and operating system, for a reader who compares figures."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [
            line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if line.startswith("model name")
        ]
        model = names[0] if names else model
    return (
        f"{model}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    )


def wilson_interval(successes: int, trials: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval (low, high) of a success rate after Wilson (1927); (0, 1) without trials."""
    if trials == 0:
        return 0.0, 1.0
    rate = successes / trials
    center = (rate + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * np.sqrt(rate * (1 - rate) / trials + z * z / (4 * trials * trials))
    return max(0.0, float(center - half)), min(1.0, float(center + half))


def _plain(value: object) -> object:
    """The value as JSON has it."""
    if isinstance(value, np.generic | np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if value is None or isinstance(value, str | int):
        return value
    raise TypeError(f"results hold numbers, texts and lists, not {type(value).__name__}")
