"""One bag becomes one part: a dataset of its own, and a report. The same function for a loop, processes and Ray."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dvf_ros.core.parsing import nearest
from dvf_ros.core.spec import RobotSpec, Source
from dvf_ros.data.bag_reader import BagReader, bag_digest, find_namespace, recorded_topics, resolve
from dvf_ros.data.bag_storage import BagError
from dvf_ros.data.cutting import NO_CUTS, Cutting, is_event
from dvf_ros.data.dataset import DatasetError, DatasetWriter, Episode
from dvf_ros.data.episodes import EpisodeCutter, Label
from dvf_ros.data.plausibility import Largest
from dvf_ros.data.quick_reading import QuickTopic
from dvf_ros.data.report import REPORT, BagReport
from dvf_ros.data.stamp_audit import clock_warnings, frame_warnings

VERSION = 4  # counts up when the same bags would give other numbers
OUTCOMES = {"success": True, "failure": False}


@dataclass(frozen=True)
class Options:
    """How to read the bags.

    `min_frames`: shortest episode to keep. `namespace`: of the recorded topics; None infers it bag by bag.
    `definitions`: (type, text of its .msg file) of types that the bags do not embed. `cutting`: into episodes.
    """

    min_frames: int = 2
    namespace: str | None = None
    definitions: tuple[tuple[str, str], ...] = ()
    cutting: Cutting = NO_CUTS


DEFAULTS = Options()


def hash_of(*parts: Any) -> str:
    """SHA-256 of values that JSON can hold."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def part_name(digest: str, spec_text: str, options: Options) -> str:
    """The folder of a bag's part: another one wherever other numbers could come out."""
    return hash_of(VERSION, digest, spec_text, dataclasses.astuple(options))[:32]


def convert_bag(bag: Path, spec_text: str, options: Options, parts: Path, digest: str = "") -> BagReport:
    """Convert one bag into its part, or find the part there; whatever is wrong with the bag goes into its report.

    `digest` is the bag's, where it is known already.
    """
    report = BagReport(bag.name)
    try:
        report.digest = digest or bag_digest(bag)
        part = parts / part_name(report.digest, spec_text, options)
        if (part / REPORT).exists():
            return dataclasses.replace(BagReport.read(part / REPORT), source=bag.name)
        # A part without its report was interrupted.
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        _fill(report, bag, RobotSpec.parse(spec_text), options, part)
        report.write(part / REPORT)
    except Exception as error:  # bags hold anything, and one of them must not end the run
        return BagReport(bag.name, report.digest, "broken", f"{type(error).__name__}: {error}")
    return report


def _fill(report: BagReport, bag: Path, spec: RobotSpec, options: Options, part: Path) -> None:
    with BagReader(bag, dict(options.definitions)) as reader:
        custom = reader.custom
        namespace = options.namespace if options.namespace is not None else custom.get("namespace")
        types = reader.types_among(_types(spec))
        namespace = find_namespace(spec, types, namespace)
        topics = recorded_topics(spec, types, namespace)
        report.behavior = custom.get("behavior", "")
        label = Label(report.source, report.digest, report.behavior, OUTCOMES.get(custom.get("outcome", "")))
        cutter = EpisodeCutter(spec, label, options.min_frames, options.cutting)
        events = {resolve(topic.removeprefix("/"), namespace): topic for topic in options.cutting.events}
        events |= {topic: topic for topic in options.cutting.events}
        idle = [topic for topic in options.cutting.events if not {topic, f"{namespace}{topic}"} & set(types)]
        uncut = [f"no message on '{topic}', which should cut episodes; {nearest(topic, types)}" for topic in idle]
        report.warnings += uncut
        named = {source.topic: resolve(source.topic, namespace) for source in spec.action}
        report.silent_actions = {topic: nearest(name, types) for topic, name in named.items() if name not in types}
        counts: Counter[str] = Counter()
        largest = Largest(spec)
        writer = DatasetWriter(part, spec)
        known_actions = 0
        for episode in _episodes(reader, cutter, topics, events, counts, _asks_publish(spec)):
            writer.append(episode)
            largest.add(episode)
            report.frames += len(episode.states)
            known_actions += int(episode.action_mask.sum())
        try:
            writer.close()
        except DatasetError:  # no episode: the report says why
            shutil.rmtree(part)
            part.mkdir()
        report.note = reader.note
    cut = cutter.report
    report.messages = dict(sorted(counts.items()))
    report.ticks, report.dropped, report.refused = cut.ticks, dict(cut.dropped), dict(cut.refused)
    report.kept, report.short = cut.kept, cut.short
    report.action_coverage = known_actions / max(report.frames - len(cut.kept), 1)
    report.sources = {audit.source.key: audit.to_report() for audit in cutter.audits}
    for key, changes in cutter.order_changes.items():
        report.sources[key]["joint_order_changes"] = changes
    report.largest = largest.to_report()
    report.warnings += [text for audit in cutter.audits for text in audit.warnings()]
    report.warnings += [*frame_warnings(cutter.audits, spec), *clock_warnings(cutter.audits), *largest.warnings()]
    report.status = "converted" if cut.kept else "empty"
    if not cut.kept:
        silent = f"nothing usable on {', '.join(cutter.silent)}" if cutter.silent else ""
        reasons = [*uncut, *cut.dropped, *cut.refused, *filter(None, [silent]), *clock_warnings(cutter.audits)]
        report.reason = f"no episode: {'; '.join(reasons) or 'the state topics never all reported'}"


def _asks_publish(spec: RobotSpec) -> bool:
    return any(source.stamp == "publish" for source in _sources(spec))


def _types(spec: RobotSpec) -> set[str]:
    return {source.type for source in _sources(spec)}


def _sources(spec: RobotSpec) -> tuple[Source, ...]:
    return (*spec.state, *spec.action, *([spec.outcome] if spec.outcome else []))


def _episodes(
    reader: BagReader,
    cutter: EpisodeCutter,
    topics: dict[str, str],
    events: dict[str, str],
    counts: Counter[str],
    published: bool,
) -> Iterator[Episode]:
    reader.check(topics)
    quick: dict[str, QuickTopic] = {}
    kinds: dict[str, str] = {}
    decoded: set[str] = set()
    failed: dict[str, BagError] = {}
    for name, topic in topics.items():
        kind = kinds[name] = cutter.sources(topic)[0].type
        quick[name] = QuickTopic(cutter.sources(topic), kind, reader.definitions.store(kind).fielddefs)
    for connection, receive_ns, publish_ns, data in reader.stamped(topics.keys() | events.keys(), published):
        name = connection.topic
        if name in events and is_event(name, data):
            cutter.event(events[name])
        if name in topics:
            counts[name] += 1
            if connection.msgtype != kinds[name]:  # recorded under two types
                cutter.report.refused[f"topic '{topics[name]}': the message is a {connection.msgtype}"] += 1
                continue
            if (readings := quick[name].read(data)) is not None:
                yield from cutter.push_readings(topics[name], receive_ns, readings, publish_ns)
                continue
            try:
                message = reader.decode(connection, data)
            except BagError as error:
                failed.setdefault(name, error)
                cutter.report.refused[_undecodable(topics[name], connection.msgtype)] += 1
                continue
            decoded.add(name)
            yield from cutter.push(topics[name], receive_ns, message, publish_ns)
            quick[name].learn(data, message)
    for name, first in failed.items():
        if name not in decoded:  # not the messages are damaged: the definition is wrong
            raise first
    yield from cutter.finish()


def _undecodable(topic: str, kind: str) -> str:
    return f"topic '{topic}': the message is no whole {kind}: cut off, damaged or of another version of the type"
