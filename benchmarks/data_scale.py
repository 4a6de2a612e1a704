"""Ten million frames: converted from bags by `dvf convert`, opened, and drawn from in pairs."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks.data_bags import write_bag
from dvf_ros.core.spec import RobotSpec
from dvf_ros.data.dataset import Dataset
from dvf_ros.data.pairs import PairSampler

RATE = 1000  # Hz of messages and of frames: the most frames that a bag can give
SPEC = RobotSpec.parse(f"""
robot: arm
task: move
rate: {RATE}.0
state:
  - topic: joint_states
    type: sensor_msgs/msg/JointState
    max_age: 0.01
    fields:
      - {{name: position, kind: joints, path: position, joints: [j0, j1, j2, j3, j4, j5, j6]}}
      - {{name: velocity, kind: joints, path: velocity, joints: [j0, j1, j2, j3, j4, j5, j6]}}
action: []
""")
EPISODE = 0.5  # s
BATCH, DRAWS, ROUNDS = 4096, 200, 25
DISCOUNT = 0.985
OPENINGS = 5
CONVERT = """
import sys, time
from benchmarks.peak_memory import peak_mib
from dvf_ros.cli.main import main
status = main()
print(time.process_time(), peak_mib())
sys.exit(status)
"""
OPEN = """
import sys, time
from dvf_ros.data.dataset import Dataset
began = time.perf_counter()
Dataset.open(sys.argv[1])
print(time.perf_counter() - began)
"""


def write_bags(folder: Path, frames: int, bags: int) -> Path:
    """A folder of bags with `frames` frames together: one bag, and as many links to it, told apart by metadata."""
    first = write_bag(folder / "bag_0", frames / bags / RATE, {"/joint_states": float(RATE)})
    about = yaml.safe_load((first / "metadata.yaml").read_text(encoding="utf-8"))
    information = about["rosbag2_bagfile_information"]
    for i in range(1, bags):
        copy = folder / f"bag_{i}"
        copy.mkdir()
        for name in information["relative_file_paths"]:
            (copy / name).hardlink_to(first / name)
        information["custom_data"]["copy"] = str(i)
        (copy / "metadata.yaml").write_text(yaml.safe_dump(about), encoding="utf-8")
    return folder


def convert(source: Path, target: Path) -> dict[str, float]:
    """Convert bags by the command, in one process: its processor time (s) and peak memory (MiB)."""
    spec = source / "spec.yaml"
    spec.write_text(SPEC.text, encoding="utf-8")
    words: list[str | Path] = [sys.executable, "-c", CONVERT, "convert", source, target, "--spec", spec, "--jobs", "1"]
    ran = subprocess.run([*words, "--length", str(EPISODE)], stdout=subprocess.PIPE, text=True, check=True)
    seconds, peak = ran.stdout.splitlines()[-1].split()
    return {"conversion_s": float(seconds), "conversion_peak_mib": float(peak)}


def measure(folder: Path, frames: int, bags: int) -> dict[str, Any]:
    """So many frames in bags, beside one bag of 100 thousand and one of 10 thousand: converted, opened, drawn from."""
    sizes = {"small": (10_000, 1), "bag": (100_000, 1), "large": (frames, bags)}
    figures = {name: made(folder / name, *size) for name, size in sizes.items()}
    datasets = {name: Dataset.open(folder / name / "data") for name in sizes}
    drawn, fetched = drawing_seconds(datasets)
    for name, dataset in datasets.items():
        figures[name] |= {
            "frames": dataset.frames,
            "episodes": dataset.episodes,
            "pairs_per_s": BATCH * DRAWS / float(np.median(drawn[name])),
            "pairs_with_states_per_s": BATCH * DRAWS / float(np.median(fetched[name])),
        }
    return figures | {
        "peak_growth": figures["large"]["conversion_peak_mib"] / figures["bag"]["conversion_peak_mib"],
        "cost_ratio": float(np.median(drawn["large"] / drawn["small"])),
        "cost_ratio_with_states": float(np.median(fetched["large"] / fetched["small"])),
    }


def made(folder: Path, frames: int, bags: int) -> dict[str, Any]:
    """Bags of at least `frames` frames: the conversion to `data`, its bytes, and opening it in other processes."""
    # A bag's last ticks are before its last message.
    source, data = write_bags(folder / "bags", frames + 10 * bags, bags), folder / "data"
    figures = {"bags": bags} | convert(source, data)
    shutil.rmtree(source)
    seconds = [
        float(subprocess.run([sys.executable, "-c", OPEN, data], capture_output=True, text=True, check=True).stdout)
        for _ in range(OPENINGS)
    ]
    return figures | {"bytes": sum(file.stat().st_size for file in data.iterdir()), "open_s": max(seconds)}


def drawing_seconds(datasets: Mapping[str, Dataset]) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Seconds of one core (ROUNDS,) for DRAWS batches of pairs, without and with their states; datasets in turns."""
    samplers = {name: PairSampler(dataset, DISCOUNT) for name, dataset in datasets.items()}
    for dataset in datasets.values():
        np.asarray(dataset.states).sum()  # into memory: what is measured is no disk
    rng = np.random.default_rng(0)
    drawn = {name: np.empty(ROUNDS) for name in datasets}
    fetched = {name: np.empty(ROUNDS) for name in datasets}
    for turn in range(ROUNDS):
        for name, dataset in datasets.items():
            began = time.process_time()
            batches = [samplers[name].draw(rng, BATCH) for _ in range(DRAWS)]
            middle = time.process_time()
            for pairs in batches:
                dataset.states[pairs.index], dataset.states[pairs.future]
            drawn[name][turn] = middle - began
            fetched[name][turn] = time.process_time() - began
    return drawn, fetched
