"""Where the numbers of a serialized message lie: CDR as ROS 2 writes it (OMG DDS-XTypes, XCDR version 1)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

from rosbags.interfaces import Nodetype

LITTLE_ENDIAN = b"\x00\x01"
HEAD = 4  # bytes that name the encoding; alignment counts from after them
CODES = {
    "bool": "?", "byte": "B", "char": "B", "int8": "b", "uint8": "B", "int16": "h", "uint16": "H", "int32": "i",
    "uint32": "I", "int64": "q", "uint64": "Q", "float32": "f", "float64": "d",
}  # fmt: skip
SIZES = {code: struct.calcsize(f"<{code}") for code in CODES.values()}
MOST_PARTS = 500  # nested messages and strings; a message of more is not worth the walk
PADDING = 8  # fixed bytes so close to each other are compared as one


class LayoutError(ValueError):
    """A message is not laid out in a way that can be known beforehand."""


class Numbers(NamedTuple):
    """`size` numbers in a row from `offset` (bytes), each of the struct module's format `code`."""

    offset: int
    code: str
    size: int


class Layout(NamedTuple):
    """What a message's bytes are, by path (`pose.position.x`, `data`, `name[2]`).

    Another message of `size` bytes that has the same `fixed` bytes, (start, stop) each, is laid out the same: they
    hold every length and every string.
    """

    size: int
    numbers: dict[str, Numbers]
    texts: dict[str, str]
    fixed: tuple[tuple[int, int], ...]


def layout_of(types: Mapping[str, Any], kind: str, data: bytes) -> Layout:
    """The layout of one serialized `kind`; `types` are the bag library's fields of it and of all types within it.

    Raises LayoutError for another encoding, a type that has no fixed size, and data that ends too early.
    """
    if data[:2] != LITTLE_ENDIAN:
        raise LayoutError(f"expected little-endian CDR, found {data[:2].hex()}")
    walk = _Walk(types, data)
    try:
        walk.message(kind, "")
    except (struct.error, UnicodeDecodeError, KeyError) as error:
        raise LayoutError(f"a message of {len(data)} bytes is no '{kind}': {error}") from error
    if walk.at > len(data):
        raise LayoutError(f"a message of {len(data)} bytes is too short for a '{kind}'")
    return Layout(len(data), walk.numbers, walk.texts, tuple(_joined([(0, HEAD), *walk.fixed])))


class _Walk:
    def __init__(self, types: Mapping[str, Any], data: bytes) -> None:
        self.at = HEAD
        self.numbers: dict[str, Numbers] = {}
        self.texts: dict[str, str] = {}
        self.fixed: list[tuple[int, int]] = []
        self._types, self._data = types, data
        self._parts = 0

    def message(self, kind: str, path: str) -> None:
        for name, field in self._types[kind][1]:
            self._field(field, f"{path}.{name}" if path else name)

    def _field(self, field: Any, path: str) -> None:
        node, about = field
        if node == Nodetype.BASE:
            self._base(about[0], path, 1)
        elif node == Nodetype.NAME:
            self._count_part()
            self.message(str(about), path)
        else:
            inner, count = about
            if node == Nodetype.SEQUENCE:
                count = self._length()
            if inner[0] == Nodetype.BASE and inner[1][0] in CODES:
                self._base(inner[1][0], path, count)
            else:
                for i in range(count):
                    self._field(inner, f"{path}[{i}]")

    def _base(self, name: str, path: str, count: int) -> None:
        if name == "string":
            self._text(path)
        elif name not in CODES:
            raise LayoutError(f"'{path}' is a {name}")
        elif count:
            code = CODES[name]
            self._align(SIZES[code])
            self.numbers[path] = Numbers(self.at, code, count)
            self.at += count * SIZES[code]

    def _text(self, path: str) -> None:
        self._count_part()
        length = self._length()
        self.fixed.append((self.at, self.at + length))
        self.texts[path] = self._data[self.at : self.at + max(length - 1, 0)].decode()
        self.at += length

    def _length(self) -> int:
        self._align(4)
        self.fixed.append((self.at, self.at + 4))
        self.at += 4
        return int(struct.unpack_from("<I", self._data, self.at - 4)[0])

    def _align(self, size: int) -> None:
        self.at += -(self.at - HEAD) % size

    def _count_part(self) -> None:
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise LayoutError(f"it holds more than {MOST_PARTS} messages and strings")


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    found = [spans[0]]
    for start, stop in spans[1:]:
        if start - found[-1][1] < PADDING:
            found[-1] = (found[-1][0], stop)
        else:
            found.append((start, stop))
    return found
