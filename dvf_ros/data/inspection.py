"""What is in a bag, and what about it is odd: one pass over the serialized messages, in constant memory."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rosbags.interfaces import Connection

from dvf_ros.data.bag_reader import BagReader
from dvf_ros.data.bag_storage import BagError
from dvf_ros.data.definitions import Definitions, Origin, message_of
from dvf_ros.data.topic_roles import Role, role_of
from dvf_ros.data.topic_timing import FAR_S, FAST_OR_SLOW, SECOND, HeaderClock, Intervals, Timeline

HEADER = "std_msgs/msg/Header"
OFFSET_S = 0.1  # header clocks further apart than this cannot be of one machine
MEETINGS = 10  # messages of a topic that are looked at until one decodes
STAMP = {True: struct.Struct("<iI"), False: struct.Struct(">iI")}


@dataclass
class Topic:
    """One topic of a bag: `log` by the times of its recording, `header` by its own stamps (None without a header)."""

    name: str
    type: str
    definition: Origin
    role: Role
    why: str
    count: int = 0
    log: Intervals = field(default_factory=Intervals)
    header: HeaderClock | None = None
    timeline: Timeline = field(default_factory=Timeline)
    first: Any = None  # the first message that could be decoded
    problem: str = ""  # why none could


@dataclass(frozen=True)
class Inspection:
    """A bag as it was found: topics by name, what the recorder wrote, what was assumed, and warnings in plain words."""

    path: Path
    topics: dict[str, Topic]
    custom: dict[str, str]
    note: str
    definitions: Definitions
    warnings: tuple[str, ...] = ()

    @property
    def start(self) -> int:
        """Log time (ns) of the first message; 0 for an empty bag."""
        return min((topic.log.first for topic in self.heard), default=0)

    @property
    def duration(self) -> float:
        """Seconds from the first to the last message."""
        return (max((topic.log.last for topic in self.heard), default=0) - self.start) / SECOND

    @property
    def heard(self) -> list[Topic]:
        """The topics that have messages, by name."""
        return [topic for topic in self.topics.values() if topic.count]

    def of(self, role: Role) -> list[Topic]:
        """The topics with messages that could play `role`."""
        return [topic for topic in self.heard if topic.role == role]


def inspect_bag(path: str | Path, definitions: dict[str, str] | None = None) -> Inspection:
    """Read all of a bag's stamps and the first message of each topic; raises BagError if it cannot be read."""
    with BagReader(path, definitions or {}) as reader:
        topics: dict[str, Topic] = {}
        for connection in sorted(reader.connections, key=lambda c: c.topic):
            kind = connection.msgtype
            if connection.topic not in topics:
                origin = reader.definitions.origin(kind)
                topics[connection.topic] = Topic(connection.topic, kind, origin, *role_of(connection.topic, kind))
        try:
            for connection, receive_ns, data in reader.raw(topics):
                topic = topics[connection.topic]
                if topic.first is None and topic.count < MEETINGS:
                    _meet(topic, connection, data, reader)
                topic.count += 1
                topic.log.add(receive_ns)
                topic.timeline.add(receive_ns)
                if topic.header is not None:
                    topic.header.add(_stamp(data), receive_ns)
            broken = ""
        except BagError as error:
            # What was read before the damage is still worth showing.
            broken = f"{error}; what follows is not counted"
        found = Inspection(Path(path), topics, reader.custom, reader.note, reader.definitions)
        conflicts = _conflicts(reader)
    warnings = [*filter(None, [reader.note, broken]), *conflicts, *_warnings(found)]
    return Inspection(found.path, found.topics, found.custom, found.note, found.definitions, tuple(warnings))


def _meet(topic: Topic, connection: Connection, data: bytes, reader: BagReader) -> None:
    """Look at one of a topic's first messages."""
    try:
        topic.first = reader.decode(connection, data)
    except BagError as error:
        topic.problem = topic.problem or str(error)
        return
    topic.problem = ""
    fields = reader.definitions.fields(topic.type)
    if fields and message_of(fields[0][1]) == HEADER:
        topic.header = HeaderClock()


def _stamp(data: bytes) -> int:
    """The header's stamp (ns) of a CDR message that begins with a header, without decoding the rest."""
    if len(data) < 12:
        return 0
    seconds, nanoseconds = STAMP[bool(data[1] & 1)].unpack_from(data, 4)
    return int(seconds) * SECOND + int(nanoseconds)


def _conflicts(reader: BagReader) -> list[str]:
    types: dict[str, set[str]] = {}
    for connection in reader.connections:
        types.setdefault(connection.topic, set()).add(connection.msgtype)
    return [f"{name}: recorded with {len(kinds)} types: {', '.join(sorted(kinds))}; convert reads only one of them"
            for name, kinds in types.items() if len(kinds) > 1]  # fmt: skip


def _warnings(bag: Inspection) -> list[str]:
    found = []
    for topic in bag.of("state") + bag.of("action"):
        if topic.definition == "unknown":
            found.append(
                f"{topic.name}: nothing defines the type {topic.type}; name the folder with its .msg by --msg-path"
            )
        elif topic.problem:
            found.append(topic.problem)
        found += [f"{topic.name}: {text}" for text in (*_gap_warnings(topic), *_clock_warnings(topic))]
    if not bag.heard:
        found.append("the bag holds no message")
    elif not bag.of("state"):
        found.append("no topic could be a state, so no dataset can be made of this bag alone")
    return found + _disagreements(bag)


def _gap_warnings(topic: Topic) -> list[str]:
    if not topic.log.gaps:
        return []
    length, start = topic.log.gaps[0]
    many = f"{len(topic.log.gaps)} gaps" if len(topic.log.gaps) > 1 else "a gap"
    place = (start - topic.log.first) / SECOND
    usual = topic.log.quantile(0.5)
    return [
        f"{many}, the longest {length / SECOND:.3g} s at {place:.1f} s after its first message (usual: {usual:.2g} s)"
    ]


def _clock_warnings(topic: Topic) -> list[str]:
    found = []
    if topic.log.backward:
        found.append(f"{topic.log.backward} messages are recorded out of order")
    clock = topic.header
    if clock is None:
        return found
    if clock.zero:
        share = "all" if clock.zero == topic.count else f"{clock.zero} of {topic.count}"
        found.append(f"{share} header stamps are zero; use stamp: receive")
    if not clock.intervals.count:
        return found
    least, most = clock.offset
    if clock.simulated:
        found.append(
            f"header stamps are simulated time, {clock.pace:.2f} s of it in a second of the log; rates and gaps differ"
        )
    elif abs(clock.pace - 1) > FAST_OR_SLOW:
        found.append(f"the header's clock runs {clock.pace:.2f} s in a second of the log")
    elif max(abs(least), abs(most)) > FAR_S:
        found.append(f"header stamps are {least:.3g} to {most:.3g} s older than the log's")
    if clock.intervals.backward:
        found.append(f"{clock.intervals.backward} header stamps are older than the one before")
    if clock.intervals.repeated:
        found.append(f"{clock.intervals.repeated} header stamps repeat the one before; the later message counts")
    return found


def _disagreements(bag: Inspection) -> list[str]:
    """Topics whose header clocks cannot be aligned with each other."""
    stamped = [t for t in bag.heard if t.role in ("state", "action") and t.header and t.header.intervals.count]
    simulated = [t.name for t in stamped if t.header and t.header.simulated]
    wall = [t.name for t in stamped if t.header and not t.header.simulated]
    bare = [t.name for t in bag.heard if t.role in ("state", "action") and not t.problem and t.header is None]
    found = []
    if simulated and wall:
        found.append(
            f"clocks disagree: {', '.join(simulated)} carry simulated time, {', '.join(wall)} real time; use"
            " stamp: receive for all of them"
        )
    if simulated and bare:
        found.append(
            f"clocks disagree: {', '.join(simulated)} carry simulated time, {', '.join(bare)} no stamps but the log's;"
            " use stamp: receive for all of them"
        )
    middles = {t.name: sum(t.header.offset) / 2 for t in stamped if t.header and not t.header.simulated}
    if middles and max(middles.values()) - min(middles.values()) > OFFSET_S:
        late, early = max(middles, key=middles.__getitem__), min(middles, key=middles.__getitem__)
        apart = middles[late] - middles[early]
        found.append(f"clocks disagree: the headers of {late} and {early} are {apart:.3g} s apart, seen from the log")
    return found
