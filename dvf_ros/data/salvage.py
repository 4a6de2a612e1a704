"""Read what is whole of an MCAP file that was cut off or damaged, or that has no index."""

from __future__ import annotations

import io
import struct
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import BinaryIO

import zstandard
from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.reader import make_reader
from mcap.records import Channel, Chunk, Footer, McapRecord, Message, Metadata, Schema
from mcap.stream_reader import StreamReader, get_chunk_data_stream
from rosbags.interfaces import Connection, ConnectionExtRosbag2, MessageDefinition, MessageDefinitionFormat

FORMATS = {
    "ros2msg": MessageDefinitionFormat.MSG,
    "ros2idl": MessageDefinitionFormat.IDL,
    "omgidl": MessageDefinitionFormat.IDL,
}
NO_DEFINITION = MessageDefinitionFormat.NONE
# What decoders raise.
DAMAGE = (McapError, zstandard.ZstdError, struct.error, ValueError, OverflowError, MemoryError, RuntimeError)


class SalvagedMcap:
    """The whole messages of an MCAP file without a usable end or index, in the order in which they were written.

    `lost_bytes` after the last whole record, and `lost_chunks` that do not unpack or whose checksum is wrong, are
    given up; of a chunk that was cut off or is damaged without a checksum, the messages before that place are kept.
    `metadata` are the file's metadata records.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.connections: list[Connection] = []
        self.start_ns = 2**63 - 1
        self.metadata: list[Metadata] = []
        self.lost_bytes = self.lost_chunks = 0
        self._ended = False  # by the footer, with the magic bytes after it
        counts: Counter[int] = Counter()
        self.schemas = schemas = dict[int, Schema]()
        self.channels = channels = dict[int, Channel]()
        for record in self._records():
            if isinstance(record, Schema):
                schemas[record.id] = record
            elif isinstance(record, Channel):
                channels[record.id] = record
            elif isinstance(record, Metadata):
                self.metadata.append(record)
            elif isinstance(record, Message) and record.channel_id in channels:
                counts[record.channel_id] += 1
                self.start_ns = min(self.start_ns, record.log_time)
        for number, channel in channels.items():
            self.connections.append(self._connection(channel, schemas.get(channel.schema_id), counts[number]))

    @property
    def whole(self) -> bool:
        """Whether the file is as its writer closed it: to the last byte, with a summary that can be read if any."""
        return self._ended and not (self.lost_bytes or self.lost_chunks) and _summary_opens(self.path)

    @property
    def summary(self) -> str:
        """What was kept and what was lost, for people."""
        kept = sum(connection.msgcount for connection in self.connections)
        lost = [f"the last {self.lost_bytes} bytes"] if self.lost_bytes else []
        lost += [f"{self.lost_chunks} chunks, wholly or in part"] if self.lost_chunks else []
        return f"{kept} messages salvaged; lost: {' and '.join(lost) or 'only the index'}"

    def messages(self, connections: Collection[Connection]) -> Iterator[tuple[Connection, int, bytes]]:
        """Yield (connection, receive time in ns, serialized message)."""
        for connection, receive_ns, _, data in self.stamped(connections):
            yield connection, receive_ns, data

    def stamped(self, connections: Collection[Connection]) -> Iterator[tuple[Connection, int, int, bytes]]:
        """Yield (connection, receive time in ns, publish time in ns, serialized message)."""
        wanted = {connection.id: connection for connection in connections}
        for record in self.message_records():
            if record.channel_id in wanted:
                yield wanted[record.channel_id], record.log_time, record.publish_time, record.data

    def message_records(self) -> Iterator[Message]:
        """Yield the messages of all channels as MCAP has them."""
        return (r for r in self._records() if isinstance(r, Message) and r.channel_id in self.channels)

    def _records(self) -> Iterator[McapRecord]:
        self.lost_chunks = 0
        size = self.path.stat().st_size
        with self.path.open("rb") as stream:
            reader = StreamReader(stream, emit_chunks=True, record_size_limit=size).records
            before = whole = 0
            held: McapRecord | None = None  # the newest record: the file may end within it without a sign
            try:
                for record in reader:
                    if held is not None:
                        yield from self._opened(held)
                    held, before, whole = record, whole, stream.tell()
                whole = stream.tell()  # with the magic bytes after the footer
                self._ended = True
            except DAMAGE:
                pass
            trusted = isinstance(held, Footer | Chunk) or whole < size or _record_end(stream, before) == size
            if held is not None and trusted:
                yield from self._opened(held)
            self.lost_bytes = size - (whole if trusted else before)
            if held is not None and (cut := _cut_chunk(stream, whole, size)) is not None:
                yield from self._opened(cut)
                self.lost_bytes = 0  # what of them is lost counts as a chunk's

    def _opened(self, record: McapRecord) -> Iterator[McapRecord]:
        if not isinstance(record, Chunk):
            yield record
            return
        try:
            data, length = get_chunk_data_stream(record, validate_crc=True)
            content, whole = data.read(length), length == record.uncompressed_size
        except DAMAGE:
            content, whole = _readable(record), False
        inner, parsed = _inner(content)
        if whole and not parsed:
            inner = inner[:-1]  # nothing tells whether the damage begins in it
        self.lost_chunks += not (whole and parsed)
        yield from inner

    @staticmethod
    def _connection(channel: Channel, schema: Schema | None, count: int) -> Connection:
        form = FORMATS.get(schema.encoding, NO_DEFINITION) if schema else NO_DEFINITION
        try:
            text = schema.data.decode() if schema and form != NO_DEFINITION else ""
        except UnicodeDecodeError:  # damaged: who reads it may know the type otherwise
            form, text = NO_DEFINITION, ""
        name = schema.name if schema else ""
        ext = ConnectionExtRosbag2(channel.message_encoding, [])
        return Connection(channel.id, channel.topic, name, MessageDefinition(form, text), "", count, ext, None)


def read_metadata(path: Path, name: str) -> dict[str, str]:
    """The MCAP metadata records `name` merged, of a file that may be cut off."""
    return {
        key: value
        for record in SalvagedMcap(path).metadata
        if record.name == name
        for key, value in record.metadata.items()
    }


def _summary_opens(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            make_reader(stream).get_summary()
    except (*DAMAGE, OSError):  # OSError: it begins where no file can be read
        return False
    return True


def _record_end(stream: BinaryIO, offset: int) -> int:
    """Where the record that begins at `offset` says it ends: one byte of kind, eight of length, the record."""
    stream.seek(offset + 1)
    length = stream.read(8)
    return offset + 9 + struct.unpack("<Q", length)[0] if len(length) == 8 else -1


def _cut_chunk(stream: BinaryIO, offset: int, size: int) -> Chunk | None:
    """The chunk that begins at `offset` and ends beyond the file, with the data that is there; None if none does."""
    if _record_end(stream, offset) <= size:
        return None
    stream.seek(offset)
    if stream.read(1) != bytes([Opcode.CHUNK]):
        return None
    stream.seek(offset + 9)
    try:
        return Chunk.read(ReadDataStream(stream))
    except DAMAGE:
        return None


def _inner(content: bytes) -> tuple[list[McapRecord], bool]:
    """The records in a chunk up to the first that is cut off or damaged, and whether none is.

    Without a checksum damage shows where a record's length leads elsewhere than to the next one, at last to the end.
    """
    found: list[McapRecord] = []
    stream = ReadDataStream(io.BytesIO(content))
    try:
        while stream.count < len(content):
            kind, length = stream.read1(), stream.read8()
            end = stream.count + length
            if end > len(content):
                return found, False
            record = _record(stream, kind, length)
            if stream.count > end:
                return found, False
            stream.read(end - stream.count)  # what a later version of the format may add
            if record is not None:
                found.append(record)
    except DAMAGE:
        return found, False
    return found, True


def _record(stream: ReadDataStream, kind: int, length: int) -> McapRecord | None:
    """One of the records that chunks hold; None for others, which readers pass over."""
    if kind == Opcode.MESSAGE:
        return Message.read(stream, length)
    if kind == Opcode.CHANNEL:
        return Channel.read(stream)
    return Schema.read(stream) if kind == Opcode.SCHEMA else None


def _readable(chunk: Chunk) -> bytes:
    """The part of a chunk that unpacks; empty where its checksum or its compression leaves nothing to trust."""
    if chunk.compression == "":
        return chunk.data if len(chunk.data) < chunk.uncompressed_size else b""
    if chunk.compression != "zstd":
        return b""
    try:
        content = zstandard.ZstdDecompressor().decompressobj().decompress(chunk.data)
    except zstandard.ZstdError:
        return b""
    return content if len(content) < chunk.uncompressed_size else b""
