"""Rewrite a bag that was cut off or damaged as a whole one: MCAP with its index, and metadata.yaml."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mcap.records import Schema

from dvf_ros.data.bag_storage import BagError, BagFiles, storage_files
from dvf_ros.data.bag_writer import RECORD, BagWriteError, BagWriter
from dvf_ros.data.salvage import SalvagedMcap

NO_SCHEMA = Schema(0, b"", "", "")


@dataclass(frozen=True)
class Repair:
    """A bag that was rewritten: messages by topic, the time (s) that they span, and what was lost."""

    output: Path
    messages: dict[str, int]
    seconds: float
    lost: str


def repair_bag(path: Path, output: Path | None = None) -> Repair | None:
    """Write what is whole of the bag `path` (a folder or .mcap) into the new folder `output`; None for a whole bag.

    By default `output` is `path` with `_salvaged`, beside it. Receive and publish times, sequence numbers, embedded
    types, QoS and the recorder's metadata are kept; the original is only read. Files of a split bag become one. Raises
    BagError where there is no MCAP file or no whole message, where `output` exists or cannot be written.
    """
    path = Path(path)
    files = _mcap_files(path)
    salvaged = [SalvagedMcap(file) for file in files]
    if _is_whole(path, salvaged):
        return None
    output = output or path.with_name(f"{path.stem if path.is_file() else path.name}_salvaged")
    if output.exists():
        raise BagError(f"'{output}' exists already; name another folder with --output, or move it away")
    custom = {
        key: value for file in salvaged for r in file.metadata if r.name == RECORD for key, value in r.metadata.items()
    }
    lost = "; ".join(f"'{file.path.name}': {file.summary}" for file in salvaged)
    if not any(connection.msgcount for file in salvaged for connection in file.connections):
        raise BagError(f"'{path}': expected a whole message at least, found none, so nothing was written ({lost})")
    try:
        writer = BagWriter(output, custom)
        try:
            _copy(salvaged, writer)
            writer.close({"salvaged": lost})
        except BaseException:
            writer.abandon()
            shutil.rmtree(output, ignore_errors=True)  # half a copy is of no use: the original is still there
            raise
    except BagWriteError as error:
        raise BagError(f"{error}; name a folder on another disk with --output") from error
    return Repair(output, writer.counts, writer.seconds, lost)


def _mcap_files(path: Path) -> list[Path]:
    if not path.exists():
        raise BagError(f"'{path}' is not there; expected a bag: a folder or .mcap")
    files = storage_files(path) if path.is_dir() else [path]
    others = [file.name for file in files if file.suffix != ".mcap"]
    if others or not files:
        found = f"found {', '.join(others)}" if others else "found none"
        raise BagError(f"'{path}': expected .mcap files, {found}; only MCAP bags are salvaged")
    return files


def _is_whole(path: Path, salvaged: Sequence[SalvagedMcap]) -> bool:
    if any(file.lost_bytes or file.lost_chunks for file in salvaged):
        return False
    try:
        files = BagFiles(path)
    except BagError:
        return False
    files.close()
    return not files.notes


def _copy(salvaged: Sequence[SalvagedMcap], writer: BagWriter) -> None:
    types: dict[str, str] = {}
    for file in salvaged:
        for channel in file.channels.values():
            schema = file.schemas.get(channel.schema_id, NO_SCHEMA)
            known = types.setdefault(channel.topic, schema.name)
            if known != schema.name:
                raise BagError(f"'{file.path}', topic '{channel.topic}': expected {known}, found {schema.name} too")
            if channel.topic not in writer.counts:
                writer.add_channel(channel.topic, schema, channel.metadata, channel.message_encoding)
        for message in file.message_records():
            topic = file.channels[message.channel_id].topic
            writer.write(topic, message.log_time, message.publish_time, message.data, message.sequence)
