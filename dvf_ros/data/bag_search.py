"""Which bags a list of paths means, and which spec they were recorded with."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from dvf_ros.core.spec import RobotSpec
from dvf_ros.core.spec_differences import differences
from dvf_ros.data.bag_reader import read_custom
from dvf_ros.data.bag_storage import STORAGE, storage_files


class ConversionError(ValueError):
    """No dataset can be made: no bags, no spec, or nothing usable in any of them."""


def find_bags(paths: Sequence[str | Path]) -> list[Path]:
    """All bags that `paths` are or contain, by name; raises ConversionError for a path with none.

    A bag is a .mcap or .db3 file (or .zstd of one), or a folder that holds metadata.yaml or the files of one split
    bag (NAME_0, NAME_1, …); without metadata.yaml, files with other names, or beside other bags, are bags of their own.
    """
    found: list[Path] = []
    if not paths:
        raise ConversionError("no bags named; expected at least one bag or folder of bags")
    for path in map(Path, paths):
        if not path.exists():
            raise ConversionError(f"'{path}' is not there; expected a bag or a folder of bags")
        bags = sorted(set(_bags_under(path)))
        if not bags:
            raise ConversionError(f"'{path}' holds no bag (metadata.yaml, {', '.join(STORAGE)})")
        found += bags
    return sorted(set(found), key=lambda bag: (bag.name, str(bag)))


def _bags_under(path: Path) -> Iterator[Path]:
    if path.is_file() or (path / "metadata.yaml").exists():
        yield path
        return
    files = storage_files(path)
    names = {re.sub(r"_\d+$", "", file.name.partition(".")[0]) for file in files}
    folders = [folder for folder in path.iterdir() if folder.is_dir() and not folder.name.startswith(".")]
    inner = [bag for folder in folders for bag in _bags_under(folder)]
    if files:
        yield from [path] if len(names) == 1 and not inner else files
    yield from inner


def spec_of(bags: Sequence[Path]) -> RobotSpec:
    """The spec that the bags were recorded with; raises ConversionError if none has one, or two differ."""
    first: tuple[Path, RobotSpec] | None = None
    for bag in bags:
        try:
            text = read_custom(bag).get("spec", "")
        except Exception:  # whatever is wrong with this bag, convert_bag reports it
            continue
        if not text:
            continue
        spec = RobotSpec.parse(text, f"spec of '{bag}'")
        if first and first[1].digest != spec.digest:
            found = differences(first[1], spec, ("first", "then"))
            raise ConversionError(
                f"'{first[0]}' and '{bag}' were recorded with different specs ({found}); convert one kind at a time, or"
                " name the spec of all with --spec"
            )
        first = first or (bag, spec)
    if first is None:
        raise ConversionError("none of the bags carries a robot spec; name one with --spec")
    return first[1]
