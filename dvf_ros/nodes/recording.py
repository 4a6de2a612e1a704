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

BACKLOG = 50_000  # messages that may wait for the disk,
BACKLOG_BYTES = 1 << 28  # and their bytes: an image no longer fits long before a joint state does not


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
    sequence: int | None


class Recording:
    """Takes in messages at once and writes them behind, at most `flush_period` (s) later.

    `error` is empty until the bag cannot be written; from then on nothing more is. `backlog_lost` and `disk_lost`
    count, by topic, messages that found the backlog full, and those that no flush had made safe (at most that many are
    lost) when the bag could no longer be written, or that came later. Raises BagWriteError if the bag cannot be begun.
    """

    def __init__(self, folder: Path, custom: Mapping[str, str], flush_period: float) -> None:
        self.folder = folder
        self.error = ""
        self.backlog_lost: Counter[str] = Counter()
        self.disk_lost: Counter[str] = Counter()
        self._flush_period = flush_period
        self._writer = BagWriter(folder, custom)
        self._queue: queue.Queue[_Item | Mapping[str, str] | None] = queue.Queue(BACKLOG)
        # Each is counted by one thread alone; what lies between them waits.
        self._bytes_in = self._bytes_out = 0
        self._unsafe: Counter[str] = Counter()
        self._thread = threading.Thread(target=self._write, name="bag", daemon=True)
        self._thread.start()

    def put(
        self, topic: RecordedTopic, receive_ns: int, publish_ns: int, data: bytes, sequence: int | None = None
    ) -> None:
        """Take in one serialized message, with its publisher's number where there is one."""
        if self._bytes_in - self._bytes_out + len(data) > BACKLOG_BYTES:
            self.backlog_lost[topic.name] += 1
            return
        try:
            self._queue.put_nowait(_Item(topic, receive_ns, publish_ns, data, sequence))
            self._bytes_in += len(data)
        except queue.Full:
            self.backlog_lost[topic.name] += 1

    def note(self, custom: Mapping[str, str]) -> None:
        """Add to the bag's metadata while it is being written; raises queue.Full."""
        self._queue.put_nowait(dict(custom))

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
                    self._unsafe.clear()
                    flushed = time.monotonic()
        except BagWriteError as error:
            self._fail(str(error))
        except Exception as error:  # whatever it is, a bag that lacks messages must not end as a success
            self._fail(f"bag '{self.folder}' cannot be written: {type(error).__name__}: {error}")

    def _write_item(self, item: _Item | Mapping[str, str]) -> None:
        if not isinstance(item, _Item):
            self._writer.note(item)
            return
        topic = item.topic
        self._bytes_out += len(item.data)
        self._unsafe[topic.name] += 1
        self._writer.add_topic(topic.name, topic.type, topic.definition, topic.qos, topic.type_hash)
        self._writer.write(topic.name, item.receive_ns, item.publish_ns, item.data, item.sequence)

    def _fail(self, error: str) -> None:
        self._writer.abandon()
        self.disk_lost += self._unsafe
        self.error = error
        # Keep emptying the queue: `end` waits for its place in it.
        while (item := self._queue.get()) is not None:
            if isinstance(item, _Item):
                self._bytes_out += len(item.data)
                self.disk_lost[item.topic.name] += 1
