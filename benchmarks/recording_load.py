"""What the recorder keeps under load, what it says was lost, and how soon it warns of a low rate."""

from __future__ import annotations

import json
import math
import struct
import time
from collections import Counter
from pathlib import Path
from typing import Any

import yaml
from diagnostic_msgs.msg import DiagnosticArray
from mcap.reader import make_reader

from benchmarks.publisher import SLOW, STAMP
from benchmarks.recording_rig import IMAGES, LOW, Rig

STEADY, LOWERED = 4.0, 3.0  # s at full rate, then below 90 % of it


def loaded(rig: Rig, seconds: float) -> dict[str, Any]:
    """Record the robot and two cameras for `seconds`; compare what was sent, the bag, and the losses it names."""
    process = rig.recorder(rig.folder / "load", "loaded")
    publishers = rig.publish(seconds)
    for publisher in publishers:
        publisher.wait()
    started = rig.start("bag", "loaded")
    diagnostics = rig.observer.collect(DiagnosticArray, "/diagnostics")
    for publisher in publishers:
        publisher.go()
    said = [publisher.finish()["topics"] for publisher in publishers]
    ended = rig.end("loaded")
    cpu = sum(_cpu_seconds(process.pid))
    for publisher in publishers:
        publisher.go()
    rig.processes.end(process)
    sent = {topic: about["sent"] for part in said for topic, about in part.items()}
    kept, without_times = _kept(Path(started.path))
    lost = {topic: sent[topic] - kept[topic] for topic in sent}
    counted = _counted(Path(started.path))
    image_lost = sum(lost[topic] for topic in IMAGES)
    return {
        "seconds": seconds,
        "sent": sent,
        "lost": lost,
        "lost_as_counted_by_the_recorder": counted,
        "low_lost": sum(lost[topic] for topic in LOW),
        "image_lost_share": image_lost / sum(sent[topic] for topic in IMAGES),
        "uncounted": sum(abs(lost[topic] - counted.get(topic, 0)) for topic in lost),
        "without_times": without_times,
        "end_success": bool(ended.success),
        "recorder_cpu_share": cpu / seconds,
        "latest_publication_ms": max(about["latest_ms"] for part in said for about in part.values()),
        "seconds_with_a_low_rate": sum("below 90 %" in s.message for a in list(diagnostics) for s in a.status),
    }


def slowed(rig: Rig) -> dict[str, Any]:
    """Let every topic fall to 85 % of its rate; the time (s) until the recorder warns of each on /diagnostics."""
    process = rig.recorder(rig.folder / "rate", "slowed")
    publishers = rig.publish(STEADY + LOWERED, "--slow-after", str(STEADY))
    for publisher in publishers:
        publisher.wait()
    warned: dict[str, int] = {}

    def listen(message: Any) -> None:
        now = time.time_ns()
        for status in message.status:
            for topic in (*LOW, *IMAGES):
                if f"'{topic}' is below 90 %" in status.message:
                    warned.setdefault(topic, now)

    subscription = rig.observer.node.create_subscription(DiagnosticArray, "/diagnostics", listen, 100)
    rig.start("bag", "slowed")
    for publisher in publishers:
        publisher.go()
    began = [publisher.finish() for publisher in publishers]
    rig.end("slowed")
    rig.observer.node.destroy_subscription(subscription)
    for publisher in publishers:
        publisher.go()
    rig.processes.end(process)
    lowered = {topic: part["began_ns"] + int(STEADY * 1e9) for part in began for topic in part["topics"]}
    after = {topic: (warned[topic] - lowered[topic]) / 1e9 if topic in warned else math.inf for topic in lowered}
    early = [topic for topic, seconds in after.items() if seconds < 0]
    return {"share_of_rate": SLOW, "warned_after_s": after, "longest_s": max(after.values()), "too_early": early}


def _kept(bag: Path) -> tuple[Counter[str], int]:
    """Messages by topic, and how many lack their header's, publish or receive time, in that order."""
    kept: Counter[str] = Counter()
    without = 0
    with open(next(bag.glob("*.mcap")), "rb") as stream:
        for _, channel, message in make_reader(stream).iter_messages():
            kept[channel.topic] += 1
            sec, nanosec = struct.unpack_from("<iI", message.data, STAMP)
            header = sec * 10**9 + nanosec
            without += not 0 < header <= message.publish_time <= message.log_time
    return kept, without


def _counted(bag: Path) -> dict[str, int]:
    information = yaml.safe_load((bag / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    by_cause = json.loads(information["custom_data"]["lost"])
    return {topic: sum(causes.values()) for topic, causes in by_cause.items()}


def _cpu_seconds(pid: int) -> tuple[float, float]:
    """User and system time (s) of a process so far."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(words[11]) / 100, int(words[12]) / 100
