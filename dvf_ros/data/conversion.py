"""Bags in, one dataset out: in parallel over bags, resumable, and with a report of everything that was left out."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
from pathlib import Path

from dvf_ros.core.spec import RobotSpec
from dvf_ros.core.worker_pool import WorkerDiedError, WorkerPool
from dvf_ros.data.bag_conversion import DEFAULTS, VERSION, Options, convert_bag, hash_of, part_name
from dvf_ros.data.bag_reader import bag_digest
from dvf_ros.data.bag_search import ConversionError, find_bags, spec_of
from dvf_ros.data.dataset import Dataset, DatasetError, DatasetWriter
from dvf_ros.data.labels import NO_LABELS, Labels
from dvf_ros.data.plausibility import unit_warnings
from dvf_ros.data.report import REPORT, BagReport, Report
from dvf_ros.data.target import PARTS, earlier_conversion, require_same_bags

Progress = Callable[[int, int, BagReport], None]


def quiet(done: int, total: int, bag: BagReport) -> None:
    """No progress."""


def convert(
    paths: Sequence[str | Path],
    folder: str | Path,
    spec: RobotSpec | None = None,
    options: Options = DEFAULTS,
    jobs: int | None = None,
    progress: Progress = quiet,
    labels: Labels = NO_LABELS,
) -> Report:
    """Convert bags to the dataset `folder`; `jobs` processes (default: one a core); returns the report.

    The same bags, spec, options and labels give the same bytes; where the folder already holds that dataset nothing
    is done. An interrupted run goes on where it stopped. `progress(done, total, bag)` is called after each bag. Raises
    ConversionError (no bag, spec or episode, jobs below 1, a folder that holds anything else) and ConfigError (a spec
    that cannot be meant).
    """
    folder = Path(folder)
    bags = find_bags(paths)
    earlier = earlier_conversion(folder, paths)
    spec = spec or spec_of(bags)
    jobs = processes(jobs, len(bags))
    digests = digests_of(bags, jobs)
    require_same_bags(folder, earlier, {*digests, *(bag.name for bag in bags)} - {""})
    known = dict(zip(bags, digests, strict=True))
    reports = {bag: BagReport(bag.name, digest) for bag, digest in known.items()}
    inputs = inputs_of(spec, options, [with_label(reports[bag], bag, labels) for bag in bags])
    idle = labels.warnings(bags)
    if earlier and earlier.inputs == inputs and _opens(folder):
        return dataclasses.replace(earlier, warnings=_warnings(earlier.bags, idle))
    rest = list(dict.fromkeys(originals(known).values()))
    for done, (bag, report) in enumerate(convert_bags(rest, spec, options, folder / PARTS, jobs, known), 1):
        reports[bag] = report
        progress(done, len(rest), report)
    labelled = [with_label(reports[bag], bag, labels) for bag in bags]
    whole = assemble(folder, spec, options, labelled, [folder / PARTS], idle)
    shutil.rmtree(folder / PARTS)
    return whole


def processes(jobs: int | None, bags: int) -> int:
    """How many processes convert so many bags: `jobs`, by default one a core; raises ConversionError below 1."""
    if jobs is not None and jobs < 1:
        raise ConversionError(f"jobs: expected at least 1, found {jobs}; leave it out for one a core")
    return max(min(jobs or os.cpu_count() or 1, bags), 1)


def inputs_of(spec: RobotSpec, options: Options, bags: Sequence[BagReport]) -> str:
    """SHA-256 of all that a dataset is made from; labels out of the bags' own metadata are in the bags' digests."""
    given = ("pattern", "table")
    named = sorted((bag.source, bag.digest, bag.behavior if bag.behavior_from in given else "") for bag in bags)
    return hash_of(VERSION, spec.text, dataclasses.astuple(options), named)


def with_label(report: BagReport, bag: Path, labels: Labels) -> BagReport:
    """The report with the behavior that `labels` give the bag."""
    behavior, origin = labels.of(bag, report.behavior)
    return dataclasses.replace(report, behavior=behavior, behavior_from=origin)


def digests_of(bags: Sequence[Path], jobs: int) -> list[str]:
    """SHA-256 of each bag; empty for one that cannot be read, as its report will say."""
    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(_digest_or_empty, bags))


def originals(digests: Mapping[Path, str]) -> dict[Path, Path]:
    """The first copy of each bag, by the bags' digests; a bag without one is its own.

    It alone is converted: two processes must not write one part.
    """
    first_of: dict[str, Path] = {}
    return {bag: first_of.setdefault(digest or str(bag), bag) for bag, digest in digests.items()}


def convert_bags(
    bags: Sequence[Path],
    spec: RobotSpec,
    options: Options,
    parts: Path,
    jobs: int,
    digests: Mapping[Path, str] = {},
) -> Iterator[tuple[Path, BagReport]]:
    """Convert each bag into its part, in `jobs` processes; yields (bag, report) as they are done.

    `digests` are those of bags of which they are known already.
    """
    parts.mkdir(parents=True, exist_ok=True)
    work = partial(convert_bag, spec_text=spec.text, options=options, parts=parts)
    if jobs <= 1:
        yield from ((bag, work(bag, digest=digests.get(bag, ""))) for bag in bags)
        return
    try:
        with WorkerPool(jobs) as pool:
            futures = {pool.submit(work, bag, digest=digests.get(bag, "")): bag for bag in bags}
            for future in as_completed(futures):
                yield futures[future], future.result()
    except WorkerDiedError as error:
        raise ConversionError(f"{error}; run again with --jobs 1: it goes on where it stopped") from error


def assemble(
    folder: Path,
    spec: RobotSpec,
    options: Options,
    reports: Sequence[BagReport],
    parts: Sequence[Path],
    idle: Sequence[str],
) -> Report:
    """Write the dataset out of the bags' parts, which lie in the folders `parts`; `reports` in the order of the bags.

    Which machine or process made a part makes no difference to a single byte. `idle` are the labels' warnings. Raises
    ConversionError if no bag gave an episode, or a part is missing; an earlier dataset is then as it was.
    """
    ordered = sorted(_without_duplicates(reports), key=lambda report: (report.source, report.digest))
    whole = Report(inputs_of(spec, options, reports), tuple(ordered), _warnings(ordered, idle))
    if not whole.episodes:
        raise ConversionError(f"no episode could be used, so there is no dataset: {_problems(whole.bags)}")
    writer = DatasetWriter(folder, spec)
    try:
        for bag in whole.bags:
            if bag.kept:
                name = part_name(bag.digest, spec.text, options)
                part = next((place / name for place in parts if (place / name / REPORT).exists()), None)
                if part is None:
                    raise ConversionError(f"the part of bag '{bag.source}' is in none of {', '.join(map(str, parts))}")
                writer.extend(part, source=bag.source, behavior=bag.behavior)
    except BaseException:
        writer.abandon()
        raise
    (folder / REPORT).unlink(missing_ok=True)  # the old one, which is not that of the arrays from here on
    writer.close()
    whole.write(folder / REPORT)
    return whole


def _warnings(bags: Sequence[BagReport], idle: Sequence[str]) -> tuple[str, ...]:
    units = unit_warnings([(bag.source, bag.largest) for bag in bags if bag.kept])
    return (*_silent_actions(bags), *units, *idle)


def _silent_actions(bags: Sequence[BagReport]) -> list[str]:
    """The action topics that have no message in any bag that was read; some bags without actions are nothing odd."""
    read = [bag.silent_actions for bag in bags if bag.status in ("converted", "empty")]
    return [
        f"no message on the action topic '{topic}' in any bag; {hint}"
        for topic, hint in (read[0] if read else {}).items()
        if all(topic in silent for silent in read)
    ]


def _problems(bags: Sequence[BagReport]) -> str:
    """Why bags gave no episode, each reason once."""
    names: dict[str, list[str]] = {}
    for bag in bags:
        names.setdefault(bag.reason, []).append(bag.source)
    return "; ".join(
        f"{first}{f' and {len(others)} more' if others else ''}: {reason}" for reason, (first, *others) in names.items()
    )


def _opens(folder: Path) -> bool:
    try:
        Dataset.open(folder)
    except DatasetError:
        return False
    return True


def _without_duplicates(reports: Sequence[BagReport]) -> Iterator[BagReport]:
    first: dict[str, BagReport] = {}
    for report in reports:
        same = first.setdefault(report.digest, report)
        if report.digest and same is not report:
            again = BagReport(report.source, report.digest, "duplicate", f"the same bytes as '{same.source}'")
            yield dataclasses.replace(again, behavior=report.behavior, behavior_from=report.behavior_from)
        else:
            yield report


def _digest_or_empty(bag: Path) -> str:
    try:
        return bag_digest(bag)
    except OSError:
        return ""
