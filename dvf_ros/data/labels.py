"""The behavior that a bag shows, where its metadata does not say: by the name of its folder, or by a table."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import yaml

from dvf_ros.core.parsing import ConfigError

Origin = Literal["metadata", "pattern", "table", "nowhere"]
COLUMNS = ("bag", "behavior")
SHOWN = 5  # entries of a table that a warning names


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
        for name in _names(bag.name):
            if name in self.table:
                return self.table[name], "table"
        if found := self._match(bag):
            named = found.groupdict().get("behavior")
            return named or (found.group(1) if found.re.groups else found.group()) or "", "pattern"
        return recorded, "metadata" if recorded else "nowhere"

    def warnings(self, bags: Sequence[Path]) -> list[str]:
        """What of table and pattern labels none of `bags`, in a line each; empty if all of it does."""
        found = []
        known = {name for bag in bags for name in _names(bag.name)}
        if idle := [name for name in self.table if name not in known]:
            names = ", ".join(f"'{name}'" for name in idle[:SHOWN]) + (", …" if len(idle) > SHOWN else "")
            found.append(
                f"the table of behaviors names no bag of these in {len(idle)} of its {len(self.table)} entries: {names}"
            )
        if self.pattern and not any(map(self._match, bags)):
            found.append(
                f"the pattern '{self.pattern.pattern}' matches none of {len(bags)} bags; it is searched in their paths"
            )
        return found

    def _match(self, bag: Path) -> re.Match[str] | None:
        return self.pattern.search(bag.resolve().as_posix()) if self.pattern else None


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


def _names(bag: str) -> tuple[str, str]:
    """What a table may call a bag: its name, with and without what follows a dot."""
    return bag, bag.partition(".")[0]


def _read_table(path: Path) -> dict[str, str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"the table of behaviors '{path}' cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"'{path}': expected text in UTF-8, found another encoding ({error}); save it anew"
        ) from error
    labels: dict[str, str] = {}
    for line, bag, behavior in (_csv_rows if path.suffix.lower() == ".csv" else _yaml_rows)(path, text):
        if not bag or not behavior:
            raise ConfigError(f"'{path}', line {line}: expected a bag and a behavior, found '{bag}' and '{behavior}'")
        if labels.setdefault(bag, behavior) != behavior:
            raise ConfigError(f"'{path}': bag '{bag}' has two behaviors, '{labels[bag]}' and '{behavior}'")
    if not labels:
        raise ConfigError(f"'{path}': expected a bag and its behavior in a line, found no such line")
    return labels


def _csv_rows(path: Path, text: str) -> Iterator[tuple[int, str, str]]:
    """(line, bag, behavior) of a CSV table."""
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        columns = next(rows, [])
        if not set(COLUMNS) <= set(columns):
            found = ", ".join(columns) or "nothing"
            raise ConfigError(f"'{path}': expected a first line with the columns bag and behavior, found {found}")
        bag, behavior = map(columns.index, COLUMNS)
        for row in filter(None, rows):
            if len(row) != len(columns):
                found = f"{len(row)}: {', '.join(row)}"
                raise ConfigError(f"'{path}', line {rows.line_num}: expected {len(columns)} cells, found {found}")
            yield rows.line_num, row[bag], row[behavior]
    except csv.Error as error:
        raise ConfigError(f"'{path}', line {rows.line_num}: no valid CSV: {error}") from error


def _yaml_rows(path: Path, text: str) -> Iterator[tuple[int, str, str]]:
    """(line, bag, behavior) of a YAML table, as they are written: `no` is no bool, and 2025_01_05 no number."""
    try:
        node = yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.YAMLError as error:
        raise ConfigError(f"'{path}' is not valid YAML: {error}") from error
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(f"'{path}': expected lines 'BAG: BEHAVIOR', found no such line")
    for bag, behavior in node.value:
        line = bag.start_mark.line + 1
        if not isinstance(bag, yaml.ScalarNode) or not isinstance(behavior, yaml.ScalarNode):
            raise ConfigError(f"'{path}', line {line}: expected 'BAG: BEHAVIOR', found a list or a mapping")
        yield line, bag.value, behavior.value
