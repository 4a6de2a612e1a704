"""A folder of bags over several machines: each converts its share, and the shares merge to the one dataset."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dvf_ros.core.spec import RobotSpec
from dvf_ros.data.bag_conversion import DEFAULTS, VERSION, Options, hash_of
from dvf_ros.data.bag_search import ConversionError, find_bags, spec_of
from dvf_ros.data.conversion import (
    Progress,
    assemble,
    convert_bags,
    digests_of,
    originals,
    processes,
    quiet,
    with_label,
)
from dvf_ros.data.cutting import Cutting
from dvf_ros.data.labels import NO_LABELS, Labels
from dvf_ros.data.report import BagReport, Report, write_json
from dvf_ros.data.target import earlier_conversion, require_free, require_same_bags

SHARD = "shard.json"
PARTS = "parts"


def convert_shard(
    paths: Sequence[str | Path],
    folder: str | Path,
    shard: tuple[int, int],
    spec: RobotSpec | None = None,
    options: Options = DEFAULTS,
    jobs: int | None = None,
    progress: Progress = quiet,
    labels: Labels = NO_LABELS,
) -> list[BagReport]:
    """Convert the bags of share `shard` = (i, n), i from 0, into the folder of a shard; returns their reports.

    Every machine has to see the same bags: they are dealt out in the order of their names. Raises ConversionError.
    """
    index, count = shard
    if not 0 <= index < count:
        raise ConversionError(f"expected a share i/n with 0 <= i < n, found {index}/{count}")
    folder = Path(folder)
    bags = find_bags(paths)
    require_free(folder, paths, own=(folder / SHARD).exists() or (folder / PARTS).is_dir())
    spec = spec or spec_of(bags)
    own = {i: bag for i, bag in enumerate(bags) if i % count == index}
    jobs = processes(jobs, len(own))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SHARD).unlink(missing_ok=True)
    known = dict(zip(own.values(), digests_of(list(own.values()), jobs), strict=True))
    first_of = originals(known)
    rest = list(dict.fromkeys(first_of.values()))
    converted: dict[Path, BagReport] = {}
    for bag, report in convert_bags(rest, spec, options, folder / PARTS, jobs, known):
        converted[bag] = report
        progress(len(converted), len(rest), report)
    copies = {bag: dataclasses.replace(converted[first], source=bag.name) for bag, first in first_of.items()}
    reports = {bag: with_label(report, bag, labels) for bag, report in copies.items()}
    about = {
        "inputs": hash_of(VERSION, spec.text, dataclasses.astuple(options), [bag.name for bag in bags]),
        "index": index,
        "count": count,
        "spec": spec.text,
        "options": dataclasses.asdict(options),
        "warnings": labels.warnings(bags),
        "bags": {str(place): dataclasses.asdict(reports[bag]) for place, bag in own.items()},
    }
    write_json(folder / SHARD, about)
    return list(reports.values())


def merge(shards: Sequence[str | Path], folder: str | Path) -> Report:
    """Make of all n shards the dataset that `convert` makes of all the bags, byte for byte; returns its report.

    Raises ConversionError for a folder that is no shard, one missing, one twice, and shards of different inputs, and
    where `folder` holds anything but an earlier dataset of these bags.
    """
    earlier = earlier_conversion(Path(folder), shards)
    found = [_read(Path(shard)) for shard in shards]
    if not found:
        raise ConversionError("no shards named; expected the folders that `dvf convert --shard` wrote")
    first = found[0]
    for about, shard in zip(found, shards, strict=True):
        if about["inputs"] != first["inputs"] or about["count"] != first["count"]:
            raise ConversionError(
                f"'{shards[0]}' and '{shard}' are no shards of one conversion: bags, spec, options or n differ"
            )
    expected, present = list(range(first["count"])), sorted(about["index"] for about in found)
    if present != expected:
        raise ConversionError(f"expected the shards {expected}, each once, found {present}")
    bags = {int(place): BagReport(**bag) for about in found for place, bag in about["bags"].items()}
    known = {word for bag in bags.values() for word in (bag.source, bag.digest) if word}
    require_same_bags(Path(folder), earlier, known)
    spec = RobotSpec.parse(first["spec"], f"spec of '{shards[0]}'")
    return assemble(
        Path(folder),
        spec,
        _options(first["options"]),
        [bags[place] for place in sorted(bags)],
        [Path(shard) / PARTS for shard in shards],
        first.get("warnings", ()),  # shards of an earlier version have none
    )


def _read(shard: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((shard / SHARD).read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise ConversionError(
            f"'{shard}' is no whole shard ({error}); expected what dvf convert --shard makes"
        ) from error


def _options(content: dict[str, Any]) -> Options:
    cut = content["cutting"]
    cutting = Cutting(cut["longest"], cut["length"], tuple(cut["start_on"]), tuple(cut["end_on"]))
    definitions = tuple((kind, text) for kind, text in content["definitions"])
    return Options(content["min_frames"], content["namespace"], definitions, cutting)
