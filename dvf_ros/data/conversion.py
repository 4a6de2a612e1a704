"""Bags in, one dataset out: in parallel over bags, resumable, and with a report of everything that was left out."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import multiprocessing
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from dvf_ros.core.spec import RobotSpec
from dvf_ros.data.bag_reader import BagReader, bag_digest, find_namespace, read_custom, recorded_topics
from dvf_ros.data.bag_storage import STORAGE, storage_files
from dvf_ros.data.dataset import ARRAYS, DatasetWriter, Episode
from dvf_ros.data.episodes import EpisodeCutter, Label
from dvf_ros.data.report import BagReport, Report

VERSION = 1  # counts up when the same bags would give other numbers
OUTCOMES = {"success": True, "failure": False}
LABELS = ("behavior", "success", "terminated", "truncated", "quality")
PARTS = ".parts"
REPORT = "report.json"


class ConversionError(ValueError):
    """No dataset can be made: no bags, no spec, or nothing usable in any of them."""


@dataclass(frozen=True)
class Options:
    """How to read the bags.

    `min_frames`: shortest episode to keep. `namespace`: of the recorded topics; None infers it bag by bag.
    `definitions`: (type, text of its .msg file) of types that the bags do not embed.
    """

    min_frames: int = 2
    namespace: str | None = None
    definitions: tuple[tuple[str, str], ...] = ()


def find_bags(paths: Sequence[str | Path]) -> list[Path]:
    """All bags that `paths` are or contain, by name; raises ConversionError for a path with none.

    A bag is a .mcap or .db3 file (or .zstd of one), or a folder that holds metadata.yaml or the files of one split
    bag (NAME_0, NAME_1, …); without metadata.yaml, files with other names are bags of their own.
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
    if files:
        yield from [path] if len(names) == 1 else files
        return
    for folder in path.iterdir():
        if folder.is_dir() and not folder.name.startswith("."):
            yield from _bags_under(folder)


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
            raise ConversionError(
                f"'{first[0]}' and '{bag}' were recorded with different specs; convert one kind at a time"
            )
        first = first or (bag, spec)
    if first is None:
        raise ConversionError("none of the bags carries a robot spec; name one with --spec")
    return first[1]


def convert(
    paths: Sequence[str | Path],
    folder: str | Path,
    spec: RobotSpec | None = None,
    options: Options = Options(),
    jobs: int | None = None,
    progress: Callable[[int, int, BagReport], None] = lambda done, total, bag: None,
) -> Report:
    """Convert bags to the dataset `folder`; `jobs` processes (default: one a core); returns the report.

    The same bags, spec and options give the same bytes; where the folder already holds that dataset nothing is done.
    An interrupted run goes on where it stopped. `progress(done, total, bag)` is called after each bag. Raises
    ConversionError (no bag, spec or episode) and ConfigError (a spec that cannot be meant).
    """
    folder = Path(folder)
    bags = find_bags(paths)
    spec = spec or spec_of(bags)
    jobs = min(jobs or os.cpu_count() or 1, len(bags))
    with ThreadPoolExecutor(jobs) as pool:
        digests = list(pool.map(_digest_or_empty, bags))
    named = sorted((bag.name, digest) for bag, digest in zip(bags, digests, strict=True))
    inputs = _hash(VERSION, spec.text, dataclasses.astuple(options), named)
    if (earlier := Report.read(folder / REPORT)) and earlier.inputs == inputs:
        return earlier
    parts = folder / PARTS
    parts.mkdir(parents=True, exist_ok=True)
    (folder / REPORT).unlink(missing_ok=True)
    work = partial(convert_bag, spec_text=spec.text, options=options, parts=parts)
    reports: dict[Path, BagReport] = {}
    first_of: dict[str, Path] = {}
    for bag, digest in zip(bags, digests, strict=True):
        if digest and first_of.setdefault(digest, bag) != bag:
            reports[bag] = BagReport(bag.name, digest, "duplicate", f"the same bytes as '{first_of[digest].name}'")
    rest = [bag for bag in bags if bag not in reports]
    for bag, report in _as_completed(work, rest, jobs):
        reports[bag] = report
        progress(len(reports), len(bags), report)
    ordered = sorted((reports[bag] for bag in bags), key=lambda report: (report.source, report.digest))
    whole = Report(inputs, tuple(ordered))
    _write(folder, spec, whole, options)
    shutil.rmtree(parts)
    return whole


def convert_bag(bag: Path, spec_text: str, options: Options, parts: Path) -> BagReport:
    """Convert one bag into its part, or find the part there; whatever is wrong with the bag goes into its report."""
    report = BagReport(bag.name)
    try:
        report.digest = bag_digest(bag)
        part = parts / _part_name(report.digest, spec_text, options)
        if (part / REPORT).exists():
            return dataclasses.replace(BagReport.read(part / REPORT), source=bag.name)
        # A part without its report was interrupted.
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        _fill(report, bag, RobotSpec.parse(spec_text), options, part)
        report.write(part / REPORT)
    except Exception as error:  # bags hold anything, and one of them must not end the run
        return BagReport(bag.name, report.digest, "broken", f"{type(error).__name__}: {error}")
    return report


def _fill(report: BagReport, bag: Path, spec: RobotSpec, options: Options, part: Path) -> None:
    with BagReader(bag, dict(options.definitions)) as reader:
        custom = reader.custom
        namespace = options.namespace if options.namespace is not None else custom.get("namespace")
        topics = recorded_topics(spec, reader.types, find_namespace(spec, reader.types, namespace))
        success = OUTCOMES.get(custom.get("outcome", ""))
        label = Label(report.source, report.digest, custom.get("behavior", ""), success)
        cutter = EpisodeCutter(spec, label, options.min_frames)
        counts: Counter[str] = Counter()
        known_actions = 0

        def episodes() -> Iterator[Episode]:
            for topic, receive_ns, message in reader.messages(topics):
                counts[topic] += 1
                yield from cutter.push(topics[topic], receive_ns, message)
            yield from cutter.finish()

        for number, episode in enumerate(episodes()):
            np.savez(part / f"{number}.npz", **{name: getattr(episode, name) for name in ARRAYS})
            about = {name: getattr(episode, name) for name in LABELS}
            (part / f"{number}.json").write_text(json.dumps(about), encoding="utf-8")
            report.frames += len(episode.states)
            known_actions += int(episode.action_mask.sum())
        cut = cutter.report
        report.note = reader.note
    report.messages = dict(sorted(counts.items()))
    report.ticks, report.dropped, report.refused = cut.ticks, dict(cut.dropped), dict(cut.refused)
    report.kept, report.short = cut.kept, cut.short
    report.action_coverage = known_actions / max(report.frames - len(cut.kept), 1)
    report.status = "converted" if cut.kept else "empty"
    if not cut.kept:
        reasons = [*cut.dropped, *cut.refused] or ["the state topics never all reported"]
        report.reason = f"no episode: {'; '.join(reasons)}"


def _write(folder: Path, spec: RobotSpec, report: Report, options: Options) -> None:
    if not report.episodes:
        problems = "; ".join(f"{bag.source}: {bag.reason}" for bag in report.bags)
        raise ConversionError(f"no episode could be used, so there is no dataset: {problems}")
    writer = DatasetWriter(folder, spec)
    for bag in report.bags:
        part = folder / PARTS / _part_name(bag.digest, spec.text, options)
        for number in range(len(bag.kept)):
            with np.load(part / f"{number}.npz") as arrays:
                held = {name: arrays[name] for name in ARRAYS}
            about = json.loads((part / f"{number}.json").read_text(encoding="utf-8"))
            writer.append(Episode(**held, **about, source=bag.source, source_digest=bag.digest))
    writer.close()
    report.write(folder / REPORT)


def _hash(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _part_name(digest: str, spec_text: str, options: Options) -> str:
    return _hash(VERSION, digest, spec_text, dataclasses.astuple(options))[:32]


def _digest_or_empty(bag: Path) -> str:
    try:
        return bag_digest(bag)
    except OSError:
        return ""


def _as_completed(
    work: Callable[[Path], BagReport], bags: Sequence[Path], jobs: int
) -> Iterator[tuple[Path, BagReport]]:
    if jobs <= 1:
        yield from ((bag, work(bag)) for bag in bags)
        return
    # Forking a process that has threads (a progress bar) may dead-lock the child.
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        futures = {pool.submit(work, bag): bag for bag in bags}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BrokenProcessPool as error:
            hint = "out of memory? Run again with --jobs 1: it goes on where it stopped"
            raise ConversionError(f"a worker process died ({hint})") from error
