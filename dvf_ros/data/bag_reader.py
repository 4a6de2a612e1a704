"""Read the spec's topics out of any bag that the rosbags library opens, without ROS."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from mcap.reader import make_reader
from rosbags.interfaces import Connection, MessageDefinitionFormat
from rosbags.rosbag2 import Reader, ReaderError
from rosbags.typesys import Stores, get_types_from_idl, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from dvf_ros.core.parsing import nearest
from dvf_ros.core.spec import RobotSpec
from dvf_ros.data.bag_writer import RECORD

STORAGE = (".mcap", ".db3")
FILES = (*STORAGE, ".mcap.zstd", ".db3.zstd")


class BagError(ValueError):
    """A bag cannot be read, or does not hold what the spec asks for; the message says what to do."""


def storage_files(path: Path) -> list[Path]:
    """The files in a bag folder (not in its sub-folders) that hold messages, by name."""
    return sorted(file for file in path.iterdir() if file.name.endswith(FILES))


def bag_digest(path: str | Path) -> str:
    """SHA-256 of a bag: its storage files and, for a folder, its metadata.yaml."""
    path = Path(path)
    files = [*storage_files(path), *path.glob("metadata.yaml")] if path.is_dir() else [path]
    whole = hashlib.sha256()
    for file in files:
        with open(file, "rb") as stream:
            whole.update(hashlib.file_digest(stream, "sha256").digest())
    return whole.hexdigest()


def read_custom(path: str | Path) -> dict[str, str]:
    """What the recorder wrote about a bag (spec, behavior, outcome, …); empty where it wrote nothing.

    Raises BagError if the folder has no metadata.yaml or it does not parse, OSError if a file cannot be read.
    """
    path = Path(path)
    if path.is_dir():
        try:
            text = (path / "metadata.yaml").read_text(encoding="utf-8")
            custom = yaml.safe_load(text)["rosbag2_bagfile_information"].get("custom_data")
        except FileNotFoundError as error:
            hint = "the recording was cut off, or this is no bag"
            raise BagError(f"'{path}' has no metadata.yaml: {hint}") from error
        except (yaml.YAMLError, KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
            raise BagError(f"'{path}/metadata.yaml' is not rosbag2 metadata: {error}") from error
        return {str(key): str(value) for key, value in (custom or {}).items()}
    if path.suffix != ".mcap":
        return {}
    with open(path, "rb") as stream:
        records = [record for record in make_reader(stream).iter_metadata() if record.name == RECORD]
    return {key: value for record in records for key, value in record.metadata.items()}


class BagReader:
    """An open bag: a rosbag2 directory, or a single .mcap or .db3 file. Use as a context manager.

    Message types come from the definitions that the bag embeds, else from ROS 2 Jazzy's common ones. `note`
    says what had to be assumed. Raises BagError.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.note = ""
        self.custom = read_custom(self.path)
        self._reader = self._open()
        self._common = get_typestore(Stores.ROS2_JAZZY)
        self._embedded: Typestore | None = None

    def __enter__(self) -> BagReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()

    @property
    def types(self) -> dict[str, str]:
        """Message type by topic, of topics that have messages."""
        return {c.topic: c.msgtype for c in self._reader.connections if c.msgcount}

    def messages(self, topics: Collection[str]) -> Iterator[tuple[str, int, Any]]:
        """Yield (topic, receive time in ns, message) of `topics` in recorded order.

        Raises BagError for a type that neither the bag nor Jazzy defines, and for data that does not decode.
        """
        connections = [c for c in self._reader.connections if c.topic in topics]
        if not connections:
            return
        stores = {connection.msgtype: self._store(connection) for connection in connections}
        for connection, receive_ns, data in self._reader.messages(connections):
            kind = connection.msgtype
            yield connection.topic, receive_ns, stores[kind].deserialize_cdr(data, kind)

    def _open(self) -> Reader:
        try:
            reader = Reader(self.path)
            reader.open()
            return reader
        except (ReaderError, OSError) as error:
            files = storage_files(self.path) if self.path.is_dir() else []
            if "missing" not in str(error) or len(files) != 1 or files[0].suffix not in STORAGE:
                raise BagError(f"'{self.path}' cannot be read: {error}") from error
            # A file that was renamed: metadata.yaml names the old one, and there is only one it can mean.
            self.note = f"metadata.yaml names a file that is not there; read '{files[0].name}' instead"
            reader = Reader(files[0])
            reader.open()
            return reader

    def _store(self, connection: Connection) -> Typestore:
        if connection.msgdef.format != MessageDefinitionFormat.NONE:
            if self._embedded is None:
                self._embedded = self._register()
            return self._embedded
        if connection.msgtype not in self._common.fielddefs:
            raise BagError(
                f"'{self.path}', topic '{connection.topic}': the type '{connection.msgtype}' is not embedded in"
                " the bag and is none of ROS 2 Jazzy's common types; record it again as MCAP, which embeds it"
            )
        return self._common

    def _register(self) -> Typestore:
        types: dict[str, Any] = {}
        for connection in self._reader.connections:
            kind, text = connection.msgdef
            if kind == MessageDefinitionFormat.MSG:
                types |= get_types_from_msg(text, connection.msgtype)
            elif kind == MessageDefinitionFormat.IDL:
                for part in text.split("=" * 80 + "\n"):
                    types |= get_types_from_idl(part.split("\n", 1)[1] if part.startswith("IDL: ") else part)
        store = get_typestore(Stores.EMPTY)
        store.register(types)
        return store


def find_namespace(spec: RobotSpec, types: Mapping[str, str], namespace: str | None = None) -> str:
    """The namespace (`` or `/robot1`) under which a bag holds all the spec's state topics.

    Raises BagError naming the topic that is missing and the nearest recorded one, or all namespaces that fit.
    """
    state = [source.topic for source in spec.state]
    if namespace is None:
        endings = [f"/{topic}" for topic in state if not topic.startswith("/")]
        places = {name.removesuffix(end) for end in endings for name in types if name.endswith(end)}
        whole = sorted(place for place in places if all(resolve(topic, place) in types for topic in state))
        if len(whole) > 1:
            names = " and ".join(f"'{place or '/'}'" for place in whole)
            raise BagError(f"the state topics are there under {names}; say which with --namespace")
        namespace = whole[0] if whole else ""
    namespace = f"/{namespace.strip('/')}" if namespace.strip("/") else ""
    for topic in state:
        name = resolve(topic, namespace)
        if name not in types:
            raise BagError(f"no messages on the state topic '{name}'; {nearest(name, types)}")
    return namespace


def resolve(topic: str, namespace: str) -> str:
    """The absolute name of a spec's topic under `namespace`."""
    return topic if topic.startswith("/") else f"{namespace}/{topic}"


def recorded_topics(spec: RobotSpec, types: Mapping[str, str], namespace: str) -> dict[str, str]:
    """The spec's topic name by recorded topic name, of all the spec's topics that the bag holds.

    Raises BagError where a recorded type is not the spec's.
    """
    found: dict[str, str] = {}
    for source in (*spec.state, *spec.action, *([spec.outcome] if spec.outcome else [])):
        name = resolve(source.topic, namespace)
        if name not in types:
            continue
        if types[name] != source.type:
            raise BagError(f"topic '{name}': the spec says {source.type}, the bag holds {types[name]}")
        found[name] = source.topic
    return found
