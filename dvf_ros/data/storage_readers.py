"""The rosbags library's readers of one storage file, for files that it refuses: types that nothing defines.

Where rosbag2 finds no .msg or .idl of a type (those of an action's hidden topics, packages without sources), it writes
a definition of the encoding `unknown`. The library then raises KeyError; here such a type has no definition.
"""

from __future__ import annotations

import sqlite3
from typing import ClassVar

from rosbags.interfaces import Connection, ConnectionExtRosbag2, MessageDefinition
from rosbags.rosbag2 import Reader
from rosbags.rosbag2.metadata import ReaderMetadata
from rosbags.rosbag2.storage_mcap import McapReader, Schema
from rosbags.rosbag2.storage_sqlite3 import Sqlite3Reader

from dvf_ros.data.salvage import FORMATS, NO_DEFINITION

SCHEMALESS = "__schemaless__"  # the library's type of a channel whose schema it has not met


class _Schemas(dict[int, Schema]):
    def __setitem__(self, number: int, schema: Schema) -> None:
        known = schema.encoding in FORMATS
        super().__setitem__(number, schema if known else schema._replace(encoding="", data=""))


class McapFile(McapReader):
    """An MCAP file."""

    def __init__(self, path: object) -> None:
        super().__init__(path)
        self.schemas = _Schemas()

    @property
    def is_indexed(self) -> bool:
        """Whether the file's summary leads to all channels and messages; by a partial one, the library reads less."""
        indexed = sum(sum(chunk.channel_count.values()) for chunk in self.chunks)
        listed = sum(connection.msgcount for connection in self.connections)
        if any(connection.msgtype == SCHEMALESS for connection in self.connections):
            return False
        return min(indexed, listed) >= self.metadata.message_count and (indexed > 0 or not self.chunks)


class DatabaseFile(Sqlite3Reader):
    """A sqlite3 file."""

    def open(self) -> None:
        """Open the file as the library does or, where it does not know an encoding, without that definition."""
        try:
            super().open()
        except KeyError:
            self._open_tolerantly()

    def _open_tolerantly(self) -> None:
        self.dbconn = database = sqlite3.connect(f"{self.path.resolve().as_uri()}?immutable=1", uri=True)
        definitions = {
            kind: MessageDefinition(FORMATS[encoding], text)
            for kind, encoding, text in database.execute(
                "SELECT topic_type, encoding, encoded_message_definition FROM message_definitions ORDER BY id DESC"
            )
            if encoding in FORMATS
        }
        topics = database.execute(
            "SELECT topics.id, name, type, serialization_format, type_description_hash, count(messages.id) FROM topics"
            " LEFT JOIN messages ON topics.id = messages.topic_id GROUP BY topics.id ORDER BY topics.id"
        )
        nothing = MessageDefinition(NO_DEFINITION, "")
        self.connections = [
            Connection(
                number, name, kind, definitions.get(kind, nothing), digest, count, ConnectionExtRosbag2(form, []), self
            )
            for number, name, kind, form, digest, count in topics
        ]
        start, end, count = database.execute("SELECT min(timestamp), max(timestamp), count(*) FROM messages").fetchone()
        if count:
            self.metadata = ReaderMetadata(end + 1 - start, start, end + 1, count, None, None, None, None)


class FileReader(Reader):
    """The library's reader of one .mcap or .db3 file, by the readers above."""

    STORAGE_PLUGINS: ClassVar = {".mcap": McapFile, ".db3": DatabaseFile}
