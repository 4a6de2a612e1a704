"""Read the spec's topics out of any bag that the rosbags library opens, without ROS."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from mcap.reader import make_reader
from rosbags.interfaces import Connection

from dvf_ros.core.parsing import nearest
from dvf_ros.core.spec import RobotSpec
from dvf_ros.data.bag_storage import BagError, BagFiles, read_information, storage_files
from dvf_ros.data.bag_writer import RECORD
from dvf_ros.data.definitions import Definitions
from dvf_ros.data.salvage import DAMAGE, read_metadata


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

    It stands in metadata.yaml and, for a recording that was cut off, in the MCAP file. Raises BagError for a
    metadata.yaml that does not parse, OSError if a file cannot be read.
    """
    path = Path(path)
    if not path.is_dir():
        return _recorded_custom(path)
    information = read_information(path)
    if information and (custom := information.get("custom_data")):  # one that was made anew afterwards has none
        return {str(key): str(value) for key, value in custom.items()}
    found: dict[str, str] = {}
    for file in storage_files(path):
        found |= _recorded_custom(file)
    return found


def _recorded_custom(file: Path) -> dict[str, str]:
    if file.suffix != ".mcap":
        return {}
    try:
        with open(file, "rb") as stream:
            records = [record for record in make_reader(stream).iter_metadata() if record.name == RECORD]
    except (*DAMAGE, OSError):
        return read_metadata(file, RECORD)
    return {key: value for record in records for key, value in record.metadata.items()}


class BagReader:
    """An open bag: a rosbag2 directory, or a single .mcap or .db3 file (or .zstd of one). Use as a context manager.

    Message types come from the definitions that the bag embeds, else from `definitions` (text of .msg files by
    type, see read_definitions), else from ROS 2 Jazzy's common ones. `note` says what had to be assumed and what is
    lost. Raises BagError.
    """

    def __init__(self, path: str | Path, definitions: Mapping[str, str] = {}) -> None:
        self.path = Path(path)
        self._files = BagFiles(self.path)
        self.custom = read_custom(self.path)
        self.definitions = Definitions(self._files.connections, definitions)
        self._decoders: dict[str, Callable[[bytes, str], Any]] = {}

    def __enter__(self) -> BagReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()

    @property
    def note(self) -> str:
        """What had to be assumed about the bag's files, and what of them is lost; empty for an ordinary bag."""
        return "; ".join(self._files.notes)

    @property
    def connections(self) -> list[Connection]:
        """All connections, also those without messages; a topic of a split bag has one in each file."""
        return self._files.connections

    @property
    def types(self) -> dict[str, str]:
        """Message type by topic, of topics that have messages."""
        return {c.topic: c.msgtype for c in self.connections if c.msgcount}

    def types_among(self, wanted: Collection[str]) -> dict[str, str]:
        """The same, of a topic recorded under several types one of those `wanted`, if there is one."""
        return self.types | {c.topic: c.msgtype for c in self.connections if c.msgcount and c.msgtype in wanted}

    def messages(self, topics: Collection[str]) -> Iterator[tuple[str, int, Any]]:
        """Yield (topic, receive time in ns, message) of `topics` in recorded order.

        Raises BagError for a type that nothing defines, and for data that does not decode.
        """
        self.check(topics)
        for connection, receive_ns, data in self.raw(topics):
            yield connection.topic, receive_ns, self.decode(connection, data)

    def raw(self, topics: Collection[str]) -> Iterator[tuple[Connection, int, bytes]]:
        """Yield (connection, receive time in ns, serialized message) of `topics` in recorded order."""
        for connection, receive_ns, _, data in self._files.messages(topics):
            yield connection, receive_ns, data

    def stamped(self, topics: Collection[str], published: bool) -> Iterator[tuple[Connection, int, int, bytes]]:
        """Yield (connection, receive time, publish time, serialized message) of `topics`; see BagFiles.messages."""
        return self._files.messages(topics, published)

    def check(self, topics: Collection[str]) -> None:
        """Raise BagError if a message on `topics` could not be decoded: it is no CDR, or nothing defines its type."""
        for connection in self.connections:
            if connection.topic in topics:
                self._check(connection)

    def decode(self, connection: Connection, data: bytes) -> Any:
        """A serialized message as an object; raises BagError if it does not decode."""
        kind = connection.msgtype
        try:
            decoder = self._decoders.get(kind)
            if decoder is None:
                decoder = self._decoders[kind] = self.definitions.store(kind).deserialize_cdr
            return decoder(data, kind)
        except BagError:
            raise
        except Exception as error:  # the library's decoders are generated and fail in any way
            origin = self.definitions.origin(kind)
            raise BagError(
                f"'{self.path}', topic '{connection.topic}': a message of {len(data)} bytes is no '{kind}' as {origin}"
                f" defines it ({type(error).__name__}); name the folder with the right .msg file by --msg-path"
            ) from error

    def _check(self, connection: Connection) -> None:
        place = f"'{self.path}', topic '{connection.topic}'"
        form = connection.ext.serialization_format
        if form != "cdr":
            raise BagError(f"{place}: expected messages in CDR, found '{form}'; convert it with `ros2 bag convert`")
        try:
            self.definitions.store(connection.msgtype)
        except BagError as error:
            raise BagError(f"{place}: {error}") from error


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
        for topic in filter(None, (source.topic, source.static_topic)):
            name = resolve(topic, namespace)
            if name not in types:
                continue
            if types[name] != source.type:
                raise BagError(f"topic '{name}': the spec says {source.type}, the bag holds {types[name]}")
            found[name] = topic
    return found
