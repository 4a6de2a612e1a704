"""The same conversion as a Ray Data job, for a fleet; needs the extra `fleet`."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dvf_ros.core.spec import RobotSpec
from dvf_ros.data.bag_conversion import DEFAULTS, Options, convert_bag
from dvf_ros.data.bag_search import find_bags, spec_of
from dvf_ros.data.conversion import assemble, digests_of, originals, processes, with_label
from dvf_ros.data.labels import NO_LABELS, Labels
from dvf_ros.data.report import BagReport, Report
from dvf_ros.data.target import PARTS, earlier_conversion, require_same_bags


def convert_on_ray(
    paths: Sequence[str | Path],
    folder: str | Path,
    spec: RobotSpec | None = None,
    options: Options = DEFAULTS,
    workers: int | None = None,
    labels: Labels = NO_LABELS,
) -> Report:
    """Convert bags to the dataset `folder` on the Ray cluster of this process, or on one started here.

    Bags and `folder` lie on a file system that all machines share; at most `workers` bags are converted at a time.
    The dataset is that of `convert`, byte for byte. Raises ConversionError.
    """
    import ray.data

    folder = Path(folder).resolve()
    bags = [bag.resolve() for bag in find_bags(paths)]
    earlier = earlier_conversion(folder, paths)
    require_same_bags(folder, earlier, {bag.name for bag in bags})
    spec = spec or spec_of(bags)
    (folder / PARTS).mkdir(parents=True, exist_ok=True)
    spec_text, parts = spec.text, folder / PARTS

    def work(row: dict[str, Any]) -> dict[str, Any]:
        report = convert_bag(Path(row["bag"]), spec_text, options, parts)
        return {"place": row["place"], "report": json.dumps(dataclasses.asdict(report))}

    first_of = originals(dict(zip(bags, digests_of(bags, processes(None, len(bags))), strict=True)))
    rest = dict.fromkeys(first_of.values())
    rows = [{"place": place, "bag": str(bag)} for place, bag in enumerate(bags) if bag in rest]
    job = ray.data.from_items(rows, override_num_blocks=len(rows)).map(work, concurrency=workers)
    done = {row["place"]: BagReport(**json.loads(row["report"])) for row in job.take_all()}
    converted = {bag: done[place] for place, bag in enumerate(bags) if place in done}
    copies = {bag: dataclasses.replace(converted[first], source=bag.name) for bag, first in first_of.items()}
    reports = [with_label(report, bag, labels) for bag, report in copies.items()]
    whole = assemble(folder, spec, options, reports, [parts], labels.warnings(bags))
    shutil.rmtree(parts)
    return whole
