"""The behavior that a bag shows, where its metadata does not say: by the name of its folder, or by a table."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import yaml

from dvf_ros.core.parsing import ConfigError

Origin = Literal["metadata", "pattern", "table", "nowhere"]
COLUMNS = ("bag", "behavior")


@dataclass(frozen=True)
class Labels:
    """Where behaviors come from: the `table` (by name of the bag), then the `pattern`, then the bag's metadata.

    The pattern is searched in the bag's path with `/` between folders; its group `behavior`, else its first group,
    else all that it matches, is the label.
    """

    pattern: re.Pattern[str] | None = None
    table: Mapping[str, str] = field(default_factory=dict)

    def of(self, bag: Path, recorded: str) -> tuple[str, Origin]:
        """The behavior of a bag and who said so; `recorded` is what its metadata says."""
        for name in (bag.name, bag.name.partition(".")[0]):
            if name in self.table:
                return self.table[name], "table"
        found = self.pattern.search(bag.resolve().as_posix()) if self.pattern else None
        if found:
            named = found.groupdict().get("behavior")
            return named or (found.group(1) if found.re.groups else found.group()) or "", "pattern"
        return recorded, "metadata" if recorded else "nowhere"


NO_LABELS = Labels()


def read_labels(pattern: str = "", table: Path | None = None) -> Labels:
    """Labels from a regular expression and a table; raises ConfigError for one that cannot be meant.

    A table is YAML (`BAG: BEHAVIOR` a line) or CSV with the columns `bag` and `behavior`.
    """
    try:
        compiled = re.compile(pattern) if pattern else None
    except re.error as error:
        raise ConfigError(f"'{pattern}' is no regular expression: {error}") from error
    return Labels(compiled, _read_table(table) if table else {})


def _read_table(path: Path) -> dict[str, str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"the table of behaviors '{path}' cannot be read: {error.strerror}") from error
    if path.suffix.lower() == ".csv":
        rows = list(csv.DictReader(text.splitlines()))
        if not rows or not set(COLUMNS) <= set(rows[0]):
            found = ", ".join(rows[0]) if rows else "nothing"
            raise ConfigError(f"'{path}': expected a first line with the columns bag and behavior, found {found}")
        entries = [(row["bag"], row["behavior"]) for row in rows]
    else:
        try:
            content = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ConfigError(f"'{path}' is not valid YAML: {error}") from error
        if not isinstance(content, dict):
            raise ConfigError(f"'{path}': expected lines 'BAG: BEHAVIOR', found {type(content).__name__}")
        entries = [(str(bag), str(behavior)) for bag, behavior in content.items()]
    labels: dict[str, str] = {}
    for bag, behavior in entries:
        if labels.setdefault(bag, behavior) != behavior:
            raise ConfigError(f"'{path}': bag '{bag}' has two behaviors, '{labels[bag]}' and '{behavior}'")
    return labels
