"""What is left of a recording when its process is killed, and when its disk is full."""

from __future__ import annotations

import os
import resource
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from mcap.reader import make_reader
from rosbags.highlevel import AnyReader

from benchmarks.recording_rig import IMAGES, LOW, Rig, rig
from dvf_ros.cli.main import main as dvf
from dvf_ros.data.bag_reader import BagReader, bag_digest
from tests.nodes.harness import wait_for

LONGEST = 3.0  # s from the start of a bag to its recorder's death
ENDLESS = 3600.0
DISK_BYTES = 8 << 20


def killed(folder: Path, bags: int, seed: int) -> dict[str, Any]:
    """Kill `bags` recorders under full load at random instants, salvage what they leave, and read it in three ways.

    Each has a robot of its own: publishers go on serving a reader that was killed until they notice, 20 s later.
    """
    instants = np.random.default_rng(seed).uniform(0.0, LONGEST, bags)
    outcomes = [_salvage(*_kill_one(folder / f"kill_{i}", float(after))) for i, after in enumerate(instants)]
    lost = [seconds for _, seconds, _ in outcomes]
    return {
        "bags": bags,
        "salvaged": sum(good for good, _, _ in outcomes),
        "worst_lost_s": max(lost),
        "median_lost_s": float(np.median(lost)),
        "messages": sum(messages for _, _, messages in outcomes),
        "empty_bags": sum(not messages for _, _, messages in outcomes),
    }


def _kill_one(folder: Path, after: float) -> tuple[Path, int, int]:
    """A bag, and when (ns) it was begun and its recorder killed."""
    folder.mkdir()
    with rig(folder) as own:
        process = own.recorder(folder / "bags")
        publishers = own.publish(ENDLESS)
        for publisher in publishers:
            publisher.wait()
        for publisher in publishers:
            publisher.go()
        diagnostics = own.observer.collect(DiagnosticArray, "/diagnostics")
        wait_for(lambda: _hears_all(diagnostics), f"messages of all topics in {folder.name}", 60.0)
        started = own.start("bag")
        begun = time.time_ns()
        time.sleep(after)
        process.kill()
        dead = time.time_ns()
        process.wait()
        return Path(started.path), begun, dead


def _hears_all(diagnostics: Sequence[DiagnosticArray]) -> bool:
    """Whether the recorder says that it has received from every topic; what comes before is discovery's time."""
    said = [s for array in list(diagnostics)[-5:] for s in array.status if "recorder: " in s.name]
    return bool(said) and not any(entry.value.startswith("0 received") for entry in said[-1].values)


def _salvage(bag: Path, begun: int, dead: int) -> tuple[bool, float, int]:
    """Whether `dvf salvage` made it whole for all readers, the seconds lost, and its messages."""
    before = bag_digest(bag)
    if dvf(["salvage", str(bag)]) or bag_digest(bag) != before:
        return False, float("inf"), 0
    output = bag.with_name(f"{bag.name}_salvaged")
    last = dict.fromkeys((*LOW, *IMAGES), begun)
    with open(next(output.glob("*.mcap")), "rb") as stream:
        reader = make_reader(stream)
        summary = reader.get_summary()
        for _, channel, message in reader.iter_messages():
            last[channel.topic] = max(last[channel.topic], message.publish_time)
    with AnyReader([output]) as library:
        counted = sum(1 for c, _, data in library.messages() if library.deserialize(data, c.msgtype))
    with BagReader(output) as ours:
        read, note = sum(1 for _ in ours.messages(ours.types)), ours.note
    indexed = summary.statistics.message_count if summary and summary.statistics else -1
    good = counted == read == indexed and not note
    # The newest that was kept of a topic is at most one period older than what was lost first.
    return good, max(dead - stamp for stamp in last.values()) / 1e9, counted


def full_disk(rig: Rig) -> dict[str, Any]:
    """Record until the disk (a small tmpfs where this may mount one, else a limit on the file's size) is full."""
    with _small_disk(rig.folder / "small") as (disk, kind):
        process = rig.recorder(disk, "full")
        if kind == "limit on the file's size":
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (DISK_BYTES, DISK_BYTES))
        publishers = rig.publish(ENDLESS)
        for publisher in publishers:
            publisher.wait()
        diagnostics = rig.observer.collect(DiagnosticArray, "/diagnostics")
        started = rig.start("bag", "full")
        for publisher in publishers:
            publisher.go()
        wait_for(lambda: _reported(diagnostics), "the error on /diagnostics")
        answers = [rig.start("again", "full"), rig.end("full")]
        if kind == "tmpfs":
            answers.append(rig.start("once more", "full"))
        for publisher in publishers:
            publisher.kill()
        rig.processes.end(process)
        bag = Path(started.path)
        file = next(bag.glob("*.mcap")).stat()
        with BagReader(bag) as ours:
            stamps = [stamp for _, stamp, _ in ours.messages(ours.types)]
        salvaged = dvf(["salvage", str(bag), "--output", str(rig.folder / "from_full")]) == 0
    return {
        "disk": kind,
        "bytes": file.st_size,
        "successes": sum(bool(answer.success) for answer in answers),
        "answers": [answer.message for answer in answers],
        "readable": len(stamps),
        "lost_s": (file.st_mtime_ns - max(stamps, default=0)) / 1e9,
        "salvaged": int(salvaged),
    }


def _reported(diagnostics: Sequence[DiagnosticArray]) -> bool:
    return any("cannot be written" in status.message for array in list(diagnostics) for status in array.status)


@contextmanager
def _small_disk(folder: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and what limits it."""
    folder.mkdir()
    mounted = False
    if os.geteuid() == 0:
        words = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
        mounted = subprocess.run(words, capture_output=True).returncode == 0
    try:
        yield folder, "tmpfs" if mounted else "limit on the file's size"
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
