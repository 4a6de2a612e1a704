"""Write rosbag2 directories (MCAP and metadata.yaml version 9) from serialized messages, without ROS."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from mcap.records import Schema
from mcap.well_known import MessageEncoding, Profile, SchemaEncoding
from mcap.writer import CompressionType, Writer

METADATA_VERSION = 9
RECORD = "dvf"  # name of the MCAP metadata records that carry the custom data
QOS, TYPE_HASH = "offered_qos_profiles", "topic_type_hash"  # rosbag2's names of what an MCAP channel carries
CHUNK_BYTES = 1 << 18
INFINITE = {"sec": 9223372036, "nsec": 854775807}


class BagWriteError(OSError):
    """A bag cannot be written; the message names the folder and what the system said."""


@dataclass(frozen=True)
class Qos:
    """How a topic's publishers offer it, in rosbag2's words; deadline, lifespan and lease are infinite."""

    reliability: Literal["reliable", "best_effort"] = "reliable"
    durability: Literal["volatile", "transient_local"] = "volatile"
    depth: int = 10

    def to_metadata(self) -> dict[str, Any]:
        """The profile as metadata version 9 holds it."""
        return {
            "history": "keep_last",
            "depth": self.depth,
            "reliability": self.reliability,
            "durability": self.durability,
            "deadline": dict(INFINITE),
            "lifespan": dict(INFINITE),
            "liveliness": "automatic",
            "liveliness_lease_duration": dict(INFINITE),
            "avoid_ros_namespace_conventions": False,
        }


DEFAULT_QOS = Qos()


@dataclass
class _Topic:
    name: str
    type: str
    encoding: str
    about: Mapping[str, str]
    channel: int
    count: int = 0

    def to_metadata(self) -> dict[str, Any]:
        about = {
            "name": self.name,
            "type": self.type,
            "serialization_format": self.encoding,
            "offered_qos_profiles": yaml.safe_load(self.about.get(QOS, "")) or [],
            "type_description_hash": self.about.get(TYPE_HASH, ""),
        }
        return {"topic_metadata": about, "message_count": self.count}


class BagWriter:
    """One bag being written: a new folder, its MCAP file, and on `close` its metadata.yaml.

    `custom` (spec, behavior, outcome, …) goes into metadata.yaml and, at once, into the MCAP file, so that a
    recording that was cut off still says what it is. Chunks are small; `flush` hands everything to the system,
    after which the death of this process loses nothing. Raises BagWriteError if the folder exists or cannot be
    written.
    """

    def __init__(self, folder: str | Path, custom: Mapping[str, str] | None = None) -> None:
        self.folder = Path(folder)
        self.file = self.folder / f"{self.folder.name}_0.mcap"
        self.custom = dict(custom or {})
        self.messages = 0
        self._topics: dict[str, _Topic] = {}
        self._schemas: dict[str, int] = {}
        self._first = self._last = 0
        try:
            self.folder.mkdir(parents=True)
            self._stream = self.file.open("xb")
        except FileExistsError as error:
            raise BagWriteError(f"bag '{self.folder}' exists already; choose another name") from error
        except OSError as error:
            raise self._error(error) from error
        self._mcap = Writer(self._stream, chunk_size=CHUNK_BYTES, compression=CompressionType.ZSTD)
        try:
            self._mcap.start(profile=Profile.ROS2)
            if self.custom:
                self._mcap.add_metadata(RECORD, self.custom)
            self._mcap.flush()
        except OSError as error:
            self.abandon()
            shutil.rmtree(self.folder, ignore_errors=True)  # nothing is in it, and the name can be used again
            raise self._error(error) from error

    @property
    def counts(self) -> dict[str, int]:
        """Messages written so far, by topic."""
        return {topic.name: topic.count for topic in self._topics.values()}

    @property
    def seconds(self) -> float:
        """From the first to the last receive time so far."""
        return (self._last - self._first) / 1e9

    def add_topic(
        self, name: str, type_name: str, definition: str, qos: Qos = DEFAULT_QOS, type_hash: str = ""
    ) -> None:
        """Announce a topic before its first message; naming it again changes nothing.

        `definition` is the .msg text with all it depends on, as rosbag2 concatenates them; `type_hash` is
        RIHS01_… or empty where unknown.
        """
        if name in self._topics:
            return
        about = {QOS: yaml.safe_dump([qos.to_metadata()], sort_keys=False), TYPE_HASH: type_hash}
        self.add_channel(name, Schema(0, definition.encode(), SchemaEncoding.ROS2, type_name), about)

    def add_channel(
        self, name: str, schema: Schema, about: Mapping[str, str], encoding: str = MessageEncoding.CDR
    ) -> None:
        """Announce a topic as MCAP has it: `about` is the channel's metadata, the schema's id does not matter."""
        try:
            if schema.name not in self._schemas:
                number = self._mcap.register_schema(schema.name, schema.encoding, schema.data)
                self._schemas[schema.name] = number
            channel = self._mcap.register_channel(name, encoding, self._schemas[schema.name], dict(about))
        except OSError as error:
            raise self._error(error) from error
        self._topics[name] = _Topic(name, schema.name, encoding, dict(about), channel)

    def write(self, topic: str, receive_ns: int, publish_ns: int, data: bytes, sequence: int | None = None) -> None:
        """Append one serialized (CDR) message; `sequence` is its publisher's number, by default its place in the topic.

        Raises KeyError for a topic that was not announced, BagWriteError where the disk is full.
        """
        entry = self._topics[topic]
        try:
            number = (entry.count if sequence is None else sequence) & 0xFFFFFFFF  # MCAP gives it 32 bits
            self._mcap.add_message(entry.channel, receive_ns, data, publish_ns, number)
        except OSError as error:
            raise self._error(error) from error
        self._first = min(self._first, receive_ns) if self.messages else receive_ns
        self._last = max(self._last, receive_ns)
        entry.count += 1
        self.messages += 1

    def note(self, custom: Mapping[str, str]) -> None:
        """Add to the custom data, in the file at the next flush: a recording that is cut off has it too."""
        self.custom |= dict(custom)
        try:
            self._mcap.add_metadata(RECORD, dict(custom))
        except OSError as error:
            raise self._error(error) from error

    def flush(self) -> None:
        """End the chunk and hand it to the system; raises BagWriteError."""
        try:
            self._mcap.flush()
        except OSError as error:
            raise self._error(error) from error

    def close(self, custom: Mapping[str, str] | None = None) -> None:
        """Add `custom` (the outcome, …), write the index and metadata.yaml; raises BagWriteError."""
        self.custom |= dict(custom or {})
        information = self._information()
        try:
            self._mcap.flush()
            self._mcap.add_metadata(RECORD, self.custom)
            serialized = yaml.safe_dump(information, sort_keys=False)
            self._mcap.add_metadata("rosbag2", {"serialized_metadata": serialized})
            self._mcap.finish()
            self._stream.flush()
            # Some file systems find out only now that the disk is full.
            os.fsync(self._stream.fileno())
            self._stream.close()
            part = self.folder / "metadata.yaml.part"
            text = yaml.safe_dump({"rosbag2_bagfile_information": information}, sort_keys=False)
            part.write_text(text, encoding="utf-8")
            part.replace(self.folder / "metadata.yaml")
        except OSError as error:
            self.abandon()
            raise self._error(error) from error

    def abandon(self) -> None:
        """Let go of the file as it is, without an index."""
        # Closing flushes; on a full disk that fails again, and the descriptor is closed all the same.
        with contextlib.suppress(OSError):
            self._stream.close()

    def _span(self) -> dict[str, Any]:
        return {
            "starting_time": {"nanoseconds_since_epoch": self._first},
            "duration": {"nanoseconds": self._last - self._first},
            "message_count": self.messages,
        }

    def _information(self) -> dict[str, Any]:
        return {
            "version": METADATA_VERSION,
            "storage_identifier": "mcap",
            **self._span(),
            "topics_with_message_count": [topic.to_metadata() for topic in self._topics.values()],
            "compression_format": "",
            "compression_mode": "",
            "relative_file_paths": [self.file.name],
            "files": [{"path": self.file.name, **self._span()}],
            "custom_data": self.custom or None,
            "ros_distro": os.environ.get("ROS_DISTRO", "jazzy"),
        }

    def _error(self, error: OSError) -> BagWriteError:
        return BagWriteError(f"bag '{self.folder}' cannot be written: {error.strerror or error}")
