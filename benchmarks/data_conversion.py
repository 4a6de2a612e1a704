"""Conversion beside bare decoding, in memory, over processes, shards and Ray."""

from __future__ import annotations

import hashlib
import logging
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.highlevel import AnyReader

from benchmarks.data_bags import RATES, SPEC, write_bag
from dvf_ros.data.bag_conversion import DEFAULTS, convert_bag
from dvf_ros.data.conversion import convert
from dvf_ros.data.ray_job import convert_on_ray
from dvf_ros.data.sharding import convert_shard, merge

EPISODE = 60.0  # s
DECODE = """
import sys, time
from pathlib import Path
from benchmarks.data_bags import RATES
from benchmarks.data_conversion import decode
began = time.perf_counter()
decode(Path(sys.argv[1]), RATES["drivers"])
print(time.perf_counter() - began)
"""
PEAK = """
import sys
from pathlib import Path
from benchmarks.data_bags import SPEC
from benchmarks.peak_memory import peak_mib
from dvf_ros.data.bag_conversion import Options, convert_bag
from dvf_ros.data.cutting import Cutting
bag, parts, length = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
report = convert_bag(bag, SPEC.text, Options(cutting=Cutting(length=length)), parts)
assert report.status == "converted", report.reason
print(peak_mib())
"""


def speed(folder: Path, seconds: float, rounds: int) -> dict[str, Any]:
    """Processor time (s) of bare decoding by rosbags' AnyReader and of conversion, in turns, in this process."""
    figures = {}
    for name, rates in RATES.items():
        scale = max(RATES["drivers"].values()) / max(rates.values())
        bag = write_bag(folder / name, seconds * min(scale, 4.0), rates)
        bare: list[float] = []
        ours: list[float] = []
        for _ in range(rounds + 1):
            began = time.process_time()
            messages = decode(bag, rates)
            middle = time.process_time()
            report = convert_bag(bag, SPEC.text, DEFAULTS, folder / "parts")
            bare.append(middle - began)
            ours.append(time.process_time() - middle)
            if report.status != "converted" or sum(report.messages.values()) != messages:
                raise RuntimeError(f"expected {messages} messages converted, found {report}")
            shutil.rmtree(folder / "parts")
        shares = np.array(bare[1:]) / np.array(ours[1:])  # the first round makes the decoders
        figures[name] = {
            "messages": messages,
            "frames": report.frames,
            "decoding_us_per_message": 1e6 * float(np.median(bare[1:])) / messages,
            "conversion_us_per_message": 1e6 * float(np.median(ours[1:])) / messages,
            "share": float(np.median(shares)),
            "shares": shares.tolist(),
        }
    return figures


def decode(bag: Path, topics: Mapping[str, float]) -> int:
    """Decode all messages of the topics that a conversion reads, and do nothing with them."""
    with AnyReader([bag]) as reader:
        wanted = [connection for connection in reader.connections if connection.topic in topics]
        return sum(1 for c, _, data in reader.messages(wanted) if reader.deserialize(data, c.msgtype))


def memory(folder: Path, seconds: float) -> dict[str, float]:
    """Peak memory (MiB) of a process that converts a bag, and one four times as long."""
    peaks = {}
    for times in (1, 4):
        bag = write_bag(folder / f"long_{times}", times * seconds, RATES["drivers"])
        for kind, length in (("minutes", EPISODE), ("one_episode", 0.0)):
            words: list[str | Path] = [sys.executable, "-c", PEAK, bag, folder / f"{kind}_{times}", str(length)]
            ran = subprocess.run(words, capture_output=True, text=True, check=True)
            peaks[f"{kind}_{times}x_mib"] = float(ran.stdout)
    growth = {
        f"{kind}_growth": peaks[f"{kind}_4x_mib"] / peaks[f"{kind}_1x_mib"] for kind in ("minutes", "one_episode")
    }
    return peaks | growth


def spread(folder: Path, bags: int, seconds: float) -> dict[str, Any]:
    """The same bags by one process, by two, in two shards and by Ray with two workers: seconds, and the same bytes.

    `two_decoders` is what the machine has to give: the speed-up of two processes that have nothing to do with each
    other, each decoding a bag by rosbags alone.
    """
    source = folder / "bags"
    for i in range(bags):
        write_bag(source / f"bag_{i}", seconds, RATES["drivers"], i)
    wall = {}
    for jobs in (1, 2):
        began = time.perf_counter()
        convert([source], folder / f"jobs_{jobs}", SPEC, jobs=jobs)
        wall[jobs] = time.perf_counter() - began
    one, two = (_decoding([source / f"bag_{i}" for i in range(count)]) for count in (1, 2))
    shards = [folder / f"shard_{i}" for i in range(2)]
    for i, shard in enumerate(shards):
        convert_shard([source], shard, (i, 2), SPEC, jobs=1)
    merge(shards, folder / "merged")
    digest = content(folder / "jobs_1")
    ray = _on_ray([source], folder / "ray")
    return {
        "bags": bags,
        "one_process_s": wall[1],
        "two_processes_s": wall[2],
        "speed_up": wall[1] / wall[2],
        "two_decoders": 2 * one / two,
        "two_processes_same": content(folder / "jobs_2") == digest,
        "merged_same": content(folder / "merged") == digest,
        "ray_same": ray == digest,
    }


def _decoding(bags: list[Path]) -> float:
    """Seconds of the slowest of several processes, each decoding a bag."""
    words = (sys.executable, "-c", DECODE)
    running = [subprocess.Popen([*words, str(bag)], stdout=subprocess.PIPE, text=True) for bag in bags]
    return max(float(one.communicate()[0]) for one in running)


def _on_ray(sources: list[Path], folder: Path) -> str:
    import ray

    logging.getLogger("ray.data").setLevel(logging.WARNING)
    # Ray makes its workers give way to everything else, for ever on a machine that is busy.
    own = {"worker_niceness": 0}
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, _system_config=own)
    try:
        convert_on_ray(sources, folder, SPEC, workers=2)
    finally:
        ray.shutdown()
    return content(folder)


def content(folder: Path) -> str:
    """SHA-256 of all files of a dataset."""
    whole = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            whole.update(str(file.relative_to(folder)).encode())
            whole.update(hashlib.sha256(file.read_bytes()).digest())
    return whole.hexdigest()
