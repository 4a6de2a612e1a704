"""A bag being written on a thread of its own, so that no subscription ever waits for the disk."""

from __future__ import annotations

import contextlib
import queue
import shutil
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dvf_ros.data.bag_writer import BagWriteError, BagWriter, Qos

BACKLOG = 50_000  # messages that may wait for the disk


@dataclass(frozen=True)
class RecordedTopic:
    """What a bag says about a topic."""

    name: str
    type: str
    definition: str
    qos: Qos
    type_hash: str


@dataclass(frozen=True)
class _Item:
    topic: RecordedTopic
    receive_ns: int
    publish_ns: int
    data: bytes


class Recording:
    """Takes in messages at once and writes them behind, at most `flush_period` (s) later.

    `error` is empty until the bag cannot be written; from then on nothing more is. `lost` counts, by topic, messages
    that found the backlog full. Raises BagWriteError if the bag cannot be begun.
    """

    def __init__(self, folder: Path, custom: Mapping[str, str], flush_period: float) -> None:
        self.folder = folder
        self.error = ""
        self.lost: Counter[str] = Counter()
        self._flush_period = flush_period
        self._writer = BagWriter(folder, custom)
        self._queue: queue.Queue[_Item | None] = queue.Queue(BACKLOG)
        self._thread = threading.Thread(target=self._write, name="bag", daemon=True)
        self._thread.start()

    def put(self, topic: RecordedTopic, receive_ns: int, publish_ns: int, data: bytes) -> None:
        """Take in one serialized message."""
        try:
            self._queue.put_nowait(_Item(topic, receive_ns, publish_ns, data))
        except queue.Full:
            self.lost[topic.name] += 1

    def end(self, custom: Mapping[str, str]) -> int:
        """Write what waits, add `custom`, close; returns how many messages the bag holds. Raises BagWriteError."""
        self._queue.put(None)
        self._thread.join()
        if self.error:
            raise BagWriteError(self.error)
        self._writer.close(custom)
        return self._writer.messages

    def discard(self) -> int:
        """Stop and delete the bag; returns how many messages it held. Raises OSError if it cannot be deleted."""
        self._queue.put(None)
        self._thread.join()
        self._writer.abandon()
        shutil.rmtree(self.folder)
        return self._writer.messages

    def _write(self) -> None:
        flushed = time.monotonic()
        try:
            while True:
                with contextlib.suppress(queue.Empty):
                    item = self._queue.get(timeout=self._flush_period)
                    if item is None:
                        return
                    self._write_item(item)
                if time.monotonic() - flushed >= self._flush_period:
                    self._writer.flush()
                    flushed = time.monotonic()
        except BagWriteError as error:
            self._fail(str(error))

    def _write_item(self, item: _Item) -> None:
        topic = item.topic
        self._writer.add_topic(topic.name, topic.type, topic.definition, topic.qos, topic.type_hash)
        self._writer.write(topic.name, item.receive_ns, item.publish_ns, item.data)

    def _fail(self, error: str) -> None:
        self._writer.abandon()
        self.error = error
        # Keep emptying the queue: `end` waits for its place in it.
        while self._queue.get() is not None:
            pass
