"""Messages built from numbers, by the rosbags library's type descriptions: the way back from selection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from rosbags.interfaces import Nodetype

from dvf_ros.core.selection import FieldSelector, steps_of, write_fields
from dvf_ros.core.spec import TF, Source
from dvf_ros.data.definitions import Definitions, message_of
from dvf_ros.data.exchange import ExchangeError

# msg/Outcome.msg, for an installation without ROS; a test holds the two together.
OUTCOME = "dvf_ros/msg/Outcome"
OUTCOME_TEXT = """std_msgs/Header header
float64 reward
bool success
bool terminated
bool truncated
"""


def export_definitions(given: Mapping[str, str]) -> Definitions:
    """Definitions to write bags with: Jazzy's common ones, this package's Outcome and `given` (text by type)."""
    return Definitions([], {OUTCOME: OUTCOME_TEXT} | dict(given))


class MessageBuilder:
    """Builds a topic's messages from numbers; what the spec does not name stays at the message's default.

    `sources` is one or, of TF, all that the spec takes from the topic: their transforms go into one message.
    """

    def __init__(self, sources: Sequence[Source], definitions: Definitions) -> None:
        self.topic, self.type = sources[0].topic, sources[0].type
        self._store = definitions.store(self.type)
        self._selectors = [FieldSelector(source) for source in sources]

    @property
    def definition(self) -> str:
        """The .msg text with all it depends on, as a bag embeds it."""
        return self._store.generate_msgdef(self.type, ros_version=2)[0]

    @property
    def type_hash(self) -> str:
        """RIHS01 hash of the type."""
        return str(self._store.hash_rihs01(self.type))

    def build(self, values: Sequence[np.ndarray], stamp: int, frame: str = "") -> bytes:
        """Serialize a message of `values`, (size,) of each source; its header (where it has one) at `stamp` (ns).

        The header says `frame` or, of a transform, its parent. Raises ExchangeError where the type cannot hold the
        numbers, so that they would not be read back as they are.
        """
        parts = [
            self._part(selector, numbers, stamp, frame)
            for selector, numbers in zip(self._selectors, values, strict=True)
        ]
        message = self._store.types[TF](transforms=parts) if self.type == TF else parts[0]
        return bytes(self._store.serialize_cdr(message, self.type))

    def _part(self, selector: FieldSelector, values: np.ndarray, stamp: int, frame: str) -> Any:
        """What of a message is about one source."""
        source = selector.source
        part = self._blank(source.part_type)
        if hasattr(part, "header"):
            part.header.stamp.sec, part.header.stamp.nanosec = divmod(stamp, 1_000_000_000)
            part.header.frame_id = source.parent or frame
        if source.child:
            part.child_frame_id = source.child
        for item in source.fields:
            if item.kind != "joints":
                self._reach(part, source.part_type, steps_of(item.path))
        try:
            write_fields(source, values, part)
            self._coerce(part, source.part_type)
            found = selector.select(part).astype(np.float32)
        except (ValueError, OverflowError) as error:
            raise self._error(values, str(error)) from error
        if not np.array_equal(found, np.asarray(values, np.float32), equal_nan=True):
            raise self._error(values, f"they would be read back as {found.tolist()}")
        return part

    def _error(self, values: np.ndarray, why: str) -> ExchangeError:
        unknown = "; NaN stands for a number that is not known" if np.isnan(values).any() else ""
        numbers = np.asarray(values).tolist()
        return ExchangeError(f"topic '{self.topic}': {self.type} cannot hold {numbers}: {why}{unknown}")

    def _blank(self, kind: str) -> Any:
        values = {name: self._default(field) for name, field in self._store.fielddefs[kind][1]}
        if kind == "geometry_msgs/msg/Quaternion":
            values["w"] = 1.0  # the default that its .msg file gives
        return self._store.types[kind](**values)

    def _default(self, field: Any) -> Any:
        node, about = field
        if node == Nodetype.NAME:
            return self._blank(str(about))
        if node == Nodetype.ARRAY:
            return [self._default(about[0]) for _ in range(about[1])]
        if node == Nodetype.SEQUENCE:
            return []
        return "" if about[0] in ("string", "wstring") else _number(0, about[0])

    def _reach(self, message: Any, kind: str, steps: tuple[str | int, ...]) -> None:
        """Lengthen the sequences that a path indexes."""
        for step, after in zip(steps, (*steps[1:], ""), strict=True):
            if isinstance(step, int):
                continue
            field = dict(self._store.fielddefs[kind][1])[step]
            value = getattr(message, step)
            if isinstance(after, int):
                value = [*value, *(self._default(field[1][0]) for _ in range(after + 1 - len(value)))]
                setattr(message, step, value)
                value = value[after]
            message, kind = value, message_of(field)

    def _coerce(self, message: Any, kind: str) -> None:
        """Give every value the type that serialization asks for."""
        for name, field in self._store.fielddefs[kind][1]:
            setattr(message, name, self._coerced(getattr(message, name), field))

    def _coerced(self, value: Any, field: Any) -> Any:
        node, about = field
        if node == Nodetype.NAME:
            self._coerce(value, str(about))
            return value
        if node == Nodetype.BASE:
            return value if about[0] in ("string", "wstring") else _number(value, about[0])
        inner = about[0]
        values = [self._coerced(each, inner) for each in value]
        if inner[0] == Nodetype.BASE and inner[1][0] not in ("string", "wstring"):
            return np.array(values, "uint8" if inner[1][0] in ("byte", "char", "octet") else inner[1][0])
        return values


def _number(value: float, kind: str) -> float | int | bool:
    if kind.startswith("float"):
        return float(value)
    whole = round(value)  # raises ValueError for NaN
    return bool(whole) if kind == "bool" else whole
