"""The files of a bag, whatever became of them: split, renamed, compressed, cut off, without metadata.yaml."""

from __future__ import annotations

import contextlib
import re
import sqlite3
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any, Protocol

import yaml
import zstandard
from mcap.reader import make_reader
from rosbags.interfaces import Connection
from rosbags.rosbag2 import ReaderError

from dvf_ros.data.salvage import DAMAGE, SalvagedMcap
from dvf_ros.data.storage_readers import FileReader, McapFile

STORAGE = (".mcap", ".db3")
FILES = (*STORAGE, ".mcap.zstd", ".db3.zstd")
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


class BagError(ValueError):
    """A bag cannot be read, or does not hold what the spec asks for; the message says what to do."""


class Storage(Protocol):
    """One open storage file."""

    path: Path
    connections: list[Connection]

    def messages(self, connections: Collection[Connection]) -> Iterator[tuple[Connection, int, bytes]]:
        """Yield (connection, receive time in ns, serialized message)."""


def storage_files(path: Path) -> list[Path]:
    """The files in a bag folder (not in its sub-folders) that hold messages, by name: 10 after 9."""
    files = [file for file in path.iterdir() if file.name.endswith(FILES)]
    return sorted(files, key=lambda file: ([int(part) for part in re.findall(r"\d+", file.name)][-1:], file.name))


def read_information(folder: Path) -> dict[str, Any]:
    """What a bag folder's metadata.yaml says; empty where there is none.

    Raises BagError if it does not parse, or says of files, messages or custom data what cannot be meant.
    """
    try:
        text = (folder / "metadata.yaml").read_text(encoding="utf-8")
        information = dict(yaml.safe_load(text)["rosbag2_bagfile_information"])
    except FileNotFoundError:
        return {}
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise BagError(f"'{folder}/metadata.yaml' is not rosbag2 metadata: {error}") from error
    files = information.get("relative_file_paths", [])
    for key, expected, right in (
        ("relative_file_paths", "a list of names", isinstance(files, list) and all(isinstance(f, str) for f in files)),
        ("message_count", "a number", type(information.get("message_count", 0)) is int),
        ("custom_data", "a mapping", isinstance(information.get("custom_data") or {}, dict)),
    ):
        if not right:
            raise BagError(
                f"'{folder}/metadata.yaml', {key}: expected {expected}, found {information[key]!r}; correct it, or move"
                " the file away: the bag is read without it"
            )
    return information


@dataclass
class BagFiles:
    """The open storage files of one bag, in the order in which they were recorded.

    `notes` says what had to be assumed and what is lost. Raises BagError where nothing can be read.
    """

    path: Path
    notes: list[str] = field(default_factory=list)
    storages: list[Storage] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stack = contextlib.ExitStack()
        try:
            information = read_information(self.path) if self.path.is_dir() else {}
            opened = [self._open(file) for file in self._find(information)]
        except BaseException:
            self.close()
            raise
        self.storages = [storage for _, storage in sorted(opened, key=lambda item: item[0])]
        found = sum(connection.msgcount for connection in self.connections)
        expected = information.get("message_count", found)
        if found < expected:
            self.notes.append(f"{expected - found} of {expected} messages that metadata.yaml counts are lost")
        elif found > expected:
            self.notes.append(f"metadata.yaml counts {expected} messages, the files hold {found}")

    @property
    def connections(self) -> list[Connection]:
        """All connections of all files; a topic of a split bag has one in each."""
        return [connection for storage in self.storages for connection in storage.connections]

    def messages(
        self, topics: Collection[str], published: bool = False
    ) -> Iterator[tuple[Connection, int, int, bytes]]:
        """Yield (connection, receive time, publish time, serialized message) of `topics` in recorded order; ns.

        The time of publishing is 0 unless `published` asks for it and the file keeps it: MCAP does, sqlite3 does not.
        """
        for storage in self.storages:
            connections = [connection for connection in storage.connections if connection.topic in topics]
            if not connections:
                continue
            last = -1
            try:
                for connection, receive_ns, publish_ns, data in _read(storage, connections, published):
                    last = receive_ns
                    yield connection, receive_ns, publish_ns, _unpacked(data)
            except Exception as error:  # decoders of damaged data raise anything
                yield from self._go_on(storage, topics, last, error)

    def _go_on(
        self, storage: Storage, topics: Collection[str], last: int, error: Exception
    ) -> Iterator[tuple[Connection, int, int, bytes]]:
        """What is whole after a damaged place at which the reader gave up, having come to `last` (ns)."""
        file = storage.path
        if file.suffix != ".mcap" or isinstance(storage, SalvagedMcap):
            raise BagError(f"'{file}' cannot be read to its end: {error}") from error
        salvaged = SalvagedMcap(file)
        self.notes.append(f"'{file.name}' is damaged ({error}): {salvaged.summary}")
        wanted = [connection for connection in salvaged.connections if connection.topic in topics]
        for connection, receive_ns, publish_ns, data in salvaged.stamped(wanted):
            if receive_ns > last:  # the reader had gone by time, and given everything up to `last`
                yield connection, receive_ns, publish_ns, _unpacked(data)

    def close(self) -> None:
        """Close all files and remove what was unpacked."""
        self._stack.close()

    def _find(self, information: dict[str, Any]) -> list[Path]:
        if not self.path.exists():
            raise BagError(f"'{self.path}' is not there; expected a bag: a folder, .mcap or .db3")
        if not self.path.is_dir():
            return [self.path]
        present = storage_files(self.path)
        listed = [self.path / PurePath(name).name for name in information.get("relative_file_paths", [])]
        missing = [file for file in listed if file not in present]
        others = [file for file in present if file not in listed]
        if not information:
            hint = "the recording was cut off, or the file was lost" if present else "this is no bag"
            self.notes.append(f"there is no metadata.yaml: {hint}")
        elif not missing:
            return listed
        elif others:
            # Files that were renamed: metadata.yaml names the old ones.
            names = ", ".join(f"'{file.name}'" for file in others)
            self.notes.append(f"metadata.yaml names a file that is not there; read {names} instead")
        else:
            names = ", ".join(f"'{file.name}'" for file in missing)
            self.notes.append(f"{len(missing)} of {len(listed)} files are missing: {names}")
        if not present:
            expected = ", ".join(f"'{file.name}'" for file in listed) or " or ".join(FILES)
            raise BagError(f"'{self.path}' holds no messages: expected {expected}, found no such file")
        return present

    def _open(self, file: Path) -> tuple[int, Storage]:
        if file.suffix == ".zstd":
            file = self._unpack(file)
        if file.suffix not in STORAGE:
            raise BagError(f"'{file}' is no bag: expected a folder, {', '.join(FILES)}")
        if file.with_name(f"{file.name}-wal").exists():
            self.notes.append(f"'{file.name}-wal' is not read: open the bag once with `sqlite3` to merge it")
        try:
            reader = FileReader(file)
            reader.open()
        except (*DAMAGE, ReaderError, OSError, TypeError, LookupError, sqlite3.Error) as error:
            if file.suffix != ".mcap":
                raise BagError(f"'{file}' cannot be read: {error}") from error
            salvaged = self._scan(file)
            if not salvaged.connections:
                raise BagError(f"'{file}' cannot be read: {error}; nothing in it is whole") from error
            return salvaged.start_ns, salvaged
        self._stack.callback(reader.close)
        if isinstance(reader.storage, McapFile) and not reader.storage.is_indexed:
            # The library finds messages in chunks by their index only; without chunks it insists on an order that
            # recorders do not keep.
            if reader.storage.chunks:
                self.notes.append(f"'{file.name}' has no whole index, so it is read from end to end")
            salvaged = self._scan(file)
            return salvaged.start_ns, salvaged
        return reader.start_time, reader

    def _scan(self, file: Path) -> SalvagedMcap:
        """An MCAP file that is read without its index."""
        salvaged = SalvagedMcap(file)
        if not salvaged.whole:
            self.notes.append(f"'{file.name}' is not whole: {salvaged.summary}")
        return salvaged

    def _unpack(self, file: Path) -> Path:
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="dvf-"))
        whole = Path(folder) / file.stem
        try:
            with file.open("rb") as packed, whole.open("wb") as unpacked:
                zstandard.ZstdDecompressor().copy_stream(packed, unpacked)
        except zstandard.ZstdError as error:
            if not whole.stat().st_size:
                raise BagError(f"'{file}' is no zstd file: {error}") from error
            # What could be unpacked is salvaged like any file that was cut off.
            self.notes.append(f"'{file.name}' unpacks only in part: {error}")
        return whole


def _unpacked(data: bytes) -> bytes:
    """A message that may have been compressed by itself, whatever metadata.yaml says: CDR begins with 0x00."""
    if data[:4] != ZSTD_MAGIC:
        return data
    try:
        return zstandard.ZstdDecompressor().decompress(data)
    except zstandard.ZstdError:
        return data  # damaged: as it is, it does not decode


def _read(
    storage: Storage, connections: list[Connection], published: bool
) -> Iterator[tuple[Connection, int, int, bytes]]:
    if isinstance(storage, SalvagedMcap):
        yield from storage.stamped(connections)
    elif published and storage.path.suffix == ".mcap":
        # The bag library keeps the time of publishing to itself; MCAP's own reader, slower, gives the same order.
        wanted = {connection.id: connection for connection in connections}
        topics = {connection.topic for connection in connections}
        with storage.path.open("rb") as stream:
            for _, channel, message in make_reader(stream).iter_messages(topics):
                if channel.id in wanted:
                    yield wanted[channel.id], message.log_time, message.publish_time, message.data
    else:
        for connection, receive_ns, data in storage.messages(connections):
            yield connection, receive_ns, 0, data
