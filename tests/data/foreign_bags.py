"""Bags as rosbag2 and others write them: one topic of numbers 0, 1, … and, if asked for, one of an undefined type."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mcap.writer import Writer

from dvf_ros.core.spec import RobotSpec
from tests.data.bag_making import MS, START, STORE, make

FLOAT, ODD = "std_msgs/msg/Float64", "my_msgs/msg/Odd"
STEP = 20 * MS
COUNT = 300
ODD_DATA = b"\0\1\0\0\1\0\0\0"
SPEC = RobotSpec.parse(f"""
robot: r
task: t
rate: 50.0
state: [{{topic: /fast, type: {FLOAT}, stamp: receive, fields: [{{name: x, path: data}}]}}]
action: []
""")
DATABASE = f"""
CREATE TABLE schema(schema_version INTEGER PRIMARY KEY, ros_distro TEXT NOT NULL);
CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL,
  serialization_format TEXT NOT NULL, offered_qos_profiles TEXT NOT NULL, type_description_hash TEXT NOT NULL);
CREATE TABLE message_definitions(id INTEGER PRIMARY KEY, topic_type TEXT NOT NULL, encoding TEXT NOT NULL,
  encoded_message_definition TEXT NOT NULL, type_description_hash TEXT NOT NULL);
CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER NOT NULL, timestamp INTEGER NOT NULL,
  data BLOB NOT NULL);
INSERT INTO schema VALUES(4, 'jazzy');
INSERT INTO topics VALUES(1, '/fast', '{FLOAT}', 'cdr', '', ''), (2, '/odd', '{ODD}', 'cdr', '', '');
INSERT INTO message_definitions VALUES(1, '{FLOAT}', 'ros2msg', 'float64 data', ''), (2, '{ODD}', 'unknown', '', '');
"""


def numbers() -> list[bytes]:
    """The serialized messages 0.0, 1.0, …"""
    return [bytes(STORE.serialize_cdr(make(FLOAT, data=float(k)), FLOAT)) for k in range(COUNT)]


def write_mcap(
    file: Path, data: Sequence[bytes], *, profile: str = "ros2", odd: str | None = None, **settings: Any
) -> Path:
    """Messages on /fast; `odd`: encoding of the definition of the type of every tenth message, on /odd."""
    with file.open("wb") as stream:
        writer = Writer(stream, chunk_size=4096, **settings)
        writer.start(profile=profile)
        fast = writer.register_channel("/fast", "cdr", writer.register_schema(FLOAT, "ros2msg", b"float64 data\n"))
        if odd is not None:
            other = writer.register_channel("/odd", "cdr", writer.register_schema(ODD, odd, b""))
        for k, message in enumerate(data):
            stamp = START + k * STEP
            writer.add_message(fast, stamp, message, stamp, k)
            if odd is not None and k % 10 == 0:
                writer.add_message(other, stamp, ODD_DATA, stamp, k)
        writer.finish()
    return file


def write_bag(file: Path, data: Sequence[bytes]) -> Path:
    """A bag of the kind that the file's name says."""
    return write_database(file, data) if file.suffix == ".db3" else write_mcap(file, data)


def write_database(file: Path, data: Sequence[bytes]) -> Path:
    """The same with rosbag2's sqlite3 of Jazzy, and a type that it found no definition of."""
    with sqlite3.connect(file) as database:
        database.executescript(DATABASE)
        rows = [(1, START + k * STEP, message) for k, message in enumerate(data)]
        rows += [(2, START + k * STEP, ODD_DATA) for k in range(0, len(data), 10)]
        database.executemany("INSERT INTO messages(topic_id, timestamp, data) VALUES(?, ?, ?)", rows)
    database.close()
    return file
