"""Read a topic's numbers straight off the serialized messages, as long as they are built like the one before."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from dvf_ros.core.fields import AXES, Field
from dvf_ros.core.selection import FieldSelector, SelectionError, steps_of
from dvf_ros.core.spec import Source
from dvf_ros.data.cdr_layout import HEAD, SIZES, Layout, LayoutError, Numbers, layout_of

Take = Callable[[bytes], np.ndarray]
TIME = [Numbers(HEAD, "i", 1), Numbers(HEAD + 4, "I", 1)]  # a header's stamp, where the message begins with it
read_time = struct.Struct("<iI").unpack_from
MANY = 64  # numbers in a row, from which on an array is quicker than a tuple
LONGEST_WAIT = 1024  # messages decoded in full between two attempts, where each is built differently


class Reading(NamedTuple):
    """What one message says of one source: the header's stamp (ns; None: no header), its frame, numbers (size,)."""

    header_ns: int | None
    frame: str | None
    values: np.ndarray


class QuickTopic:
    """The sources of one topic, each with its fields, read without decoding the message.

    `read` gives, for each source, what decoding and FieldSelector.select would, bit for bit, or None where the message
    has to be decoded; `learn` takes in the message that was. Every template is checked against what was decoded.
    """

    def __init__(self, sources: Sequence[Source], kind: str, types: Mapping[str, Any]) -> None:
        self._sources, self._kind, self._types = sources, kind, types
        # The transforms of a TFMessage are told apart by their frames, and rarely come in one order.
        self._never = any(source.child for source in sources)
        self._size = -1
        self._fixed: list[tuple[int, int, bytes]] = []
        self._takes: list[Take] = []
        self._stamped, self._frame = False, ""
        self._served, self._wait, self._next_wait = 0, 0, 1

    def read(self, data: bytes) -> list[Reading] | None:
        """The readings of the sources in their order; None for a message that is not built like the one before."""
        if len(data) != self._size:
            return None
        for start, stop, expected in self._fixed:
            if data[start:stop] != expected:
                return None
        self._served += 1
        header_ns = None
        if self._stamped:
            sec, nanosec = read_time(data, HEAD)
            header_ns = sec * 1_000_000_000 + nanosec
        return [Reading(header_ns, self._frame, take(data)) for take in self._takes]

    def learn(self, data: bytes, message: Any) -> None:
        """Take a message that had to be decoded for the template of those to come."""
        self._size = -1
        if self._never:
            return
        if self._served:
            self._wait, self._next_wait, self._served = 0, 1, 0
        if self._wait:
            self._wait -= 1
            return
        self._wait, self._next_wait = self._next_wait, min(2 * self._next_wait, LONGEST_WAIT)
        try:
            layout = layout_of(self._types, self._kind, data)
            self._takes = [_take(source, layout) for source in self._sources]
            self._stamped = [layout.numbers.get(f"header.stamp.{name}") for name in ("sec", "nanosec")] == TIME
            expected = [FieldSelector(source).select(message) for source in self._sources]
        except (LayoutError, SelectionError):
            return
        if hasattr(message, "header") != self._stamped:
            return
        self._frame = layout.texts.get("header.frame_id", "")
        if all(take(data).tobytes() == right.tobytes() for take, right in zip(self._takes, expected, strict=True)):
            self._fixed = [(start, stop, data[start:stop]) for start, stop in layout.fixed]
            self._size = layout.size


def _take(source: Source, layout: Layout) -> Take:
    """A function from a message's bytes to a source's numbers, float64."""
    places = [place for item in source.fields for place in _places(item, layout)]
    code, offsets = places[0][1], [offset for offset, _ in places]
    size = SIZES[code]
    if len(places) >= MANY and places == [(offsets[0] + i * size, code) for i in range(len(places))]:
        dtype, count, first = np.dtype(f"<{code}"), len(places), offsets[0]
        return lambda data: np.frombuffer(data, dtype, count, first).astype(np.float64)
    ordered = sorted(set(places))
    unpack = struct.Struct(_format(ordered)).unpack_from
    if ordered == places:
        return lambda data: np.array(unpack(data), np.float64)
    order = np.array([ordered.index(place) for place in places])
    return lambda data: np.array(unpack(data), np.float64)[order]


def _places(item: Field, layout: Layout) -> list[tuple[int, str]]:
    """(offset, format) of each of a field's numbers; raises LayoutError where that cannot be said."""
    if item.kind in AXES:
        return [_element(layout, f"{item.path}.{axis}", 0) for axis in AXES[item.kind]]
    if item.kind == "joints":
        names = [layout.texts[f"name[{i}]"] for i in range(len(layout.texts)) if f"name[{i}]" in layout.texts]
        try:
            return [_element(layout, item.path, names.index(joint)) for joint in item.joints]
        except ValueError as error:
            raise LayoutError(f"no joint of '{item.name}': {error}") from error
    if item.path in layout.numbers:
        return [_element(layout, item.path, i) for i in range(layout.numbers[item.path].size)]
    *_, last = steps_of(item.path)
    if isinstance(last, int):
        return [_element(layout, item.path.rpartition("[")[0], last)]
    raise LayoutError(f"'{item.path}' holds no numbers")


def _element(layout: Layout, path: str, index: int) -> tuple[int, str]:
    numbers: Numbers | None = layout.numbers.get(path)
    if numbers is None or index >= numbers.size:
        raise LayoutError(f"the message has no '{path}[{index}]'")
    return numbers.offset + index * SIZES[numbers.code], numbers.code


def _format(places: Sequence[tuple[int, str]]) -> str:
    """The struct format that reads numbers at ascending offsets and skips what lies between them."""
    words, at = ["<"], 0
    for offset, code in places:
        words.append(f"{offset - at}x{code}" if offset > at else code)
        at = offset + SIZES[code]
    return "".join(words)
