"""What became of bags that were converted: kept, dropped and why."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from dvf_ros.data.labels import Origin

REPORT = "report.json"


@dataclass
class BagReport:
    """What became of one bag: `converted`, `empty` (read, but no episode), `broken`, or a `duplicate` of another.

    `sources` says by source whose stamps counted, how it was brought to the ticks, and what was odd; `largest` the
    largest magnitude of each number; `warnings` what may have spoilt numbers; `silent_actions` which of the spec's
    action topics have no message, each with a hint at one that has.
    """

    source: str
    digest: str = ""
    status: Literal["converted", "empty", "broken", "duplicate"] = "broken"
    reason: str = ""
    note: str = ""
    messages: dict[str, int] = field(default_factory=dict)
    ticks: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    kept: list[dict[str, Any]] = field(default_factory=list)
    short: list[dict[str, Any]] = field(default_factory=list)
    frames: int = 0
    action_coverage: float = 0.0
    behavior: str = ""
    behavior_from: Origin = "metadata"
    sources: dict[str, dict[str, Any]] = field(default_factory=dict)
    largest: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    silent_actions: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> BagReport:
        """Read back what `write` wrote."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))

    def write(self, path: Path) -> None:
        """Write as JSON, whole or not at all."""
        write_json(path, vars(self))


@dataclass(frozen=True)
class Report:
    """What became of all bags; `unchanged` if the dataset was there already, made from the same inputs.

    `warnings` are about bags beside each other; each bag has its own.
    """

    inputs: str
    bags: tuple[BagReport, ...]
    warnings: tuple[str, ...] = ()
    unchanged: bool = False

    @property
    def broken(self) -> tuple[BagReport, ...]:
        """The bags that could not be read."""
        return tuple(bag for bag in self.bags if bag.status == "broken")

    @property
    def episodes(self) -> int:
        """How many episodes the dataset has."""
        return sum(len(bag.kept) for bag in self.bags)

    @property
    def frames(self) -> int:
        """How many frames the dataset has."""
        return sum(bag.frames for bag in self.bags)

    @property
    def behaviors(self) -> dict[str, int]:
        """How many episodes each behavior has, those of most first; its name is empty where nobody gave one."""
        counts: Counter[str] = Counter()
        for bag in self.bags:
            counts[bag.behavior] += len(bag.kept)
        return dict((+counts).most_common())

    @classmethod
    def read(cls, path: Path) -> Report | None:
        """The report of an earlier conversion, marked `unchanged`; None where there is none that can be read."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            bags = tuple(BagReport(**bag) for bag in content["bags"])
            return cls(content["inputs"], bags, tuple(content["warnings"]), unchanged=True)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, path: Path) -> None:
        """Write as JSON, whole or not at all."""
        write_json(path, {"inputs": self.inputs, "warnings": self.warnings, "bags": list(map(vars, self.bags))})


def write_json(path: Path, content: object) -> None:
    """Write as JSON, whole or not at all."""
    part = path.with_suffix(".part")
    with open(part, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=1)
        file.write("\n")
    part.replace(path)
