"""Exporting takes the memory of an episode and of what is kept about each: no dataset has to fit into memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dvf_ros.data.dataset import DatasetWriter, Episode
from tests.data.bag_making import SPEC

LENGTH = 1000
FEW, MANY = 480, 1920  # about 15 KiB are kept of each: rows and statistics of LeRobot's, groups of HDF5
# Anonymous memory only: pages of the mapped dataset are the system's to take back.
EXPORT = """
import sys, threading
from pathlib import Path
from dvf_ros.data.dataset import Dataset
from dvf_ros.data.lerobot_export import export_lerobot
from dvf_ros.data.robomimic_export import export_robomimic

def anonymous():
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon")]
    return int(line.split()[1])

def watch():
    global peak
    while not done.wait(0.005):
        peak = max(peak, anonymous())

done, peak = threading.Event(), 0
thread = threading.Thread(target=watch)
thread.start()
{"lerobot": export_lerobot, "robomimic": export_robomimic}[sys.argv[1]](Dataset.open(sys.argv[2]), sys.argv[3])
done.set()
thread.join()
print(peak)
"""


def write(folder: Path, episodes: int) -> Path:
    rng = np.random.default_rng(0)
    mask = np.arange(LENGTH) < LENGTH - 1
    writer = DatasetWriter(folder, SPEC)
    for _ in range(episodes):
        writer.append(
            Episode(
                states=rng.standard_normal((LENGTH, SPEC.state_size), np.float32),
                actions=rng.standard_normal((LENGTH, SPEC.action_size), np.float32),
                action_mask=mask,
                rewards=rng.standard_normal(LENGTH, np.float32),
                reward_mask=mask,
                stamps=np.arange(LENGTH) * SPEC.period_ns,
                behavior="play",
            )
        )
    writer.close()
    return folder


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's account of memory")
@pytest.mark.parametrize("form", ["lerobot", "robomimic"])
def test_four_times_the_episodes_take_far_less_than_their_size(tmp_path: Path, form: str) -> None:
    peaks = []
    for episodes in (FEW, MANY):
        dataset = write(tmp_path / f"data_{episodes}", episodes)
        words = [sys.executable, "-c", EXPORT, form, dataset, tmp_path / f"{form}_{episodes}"]
        ran = subprocess.run(words, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr
        peaks.append(int(ran.stdout) / 1024)
    few, many = peaks
    size = sum(file.stat().st_size for file in (tmp_path / f"data_{MANY}").iterdir()) / 2**20
    assert size > 80 and many - few < 0.5 * size, f"{few:.0f} MiB for {FEW} episodes, {many:.0f} MiB for {MANY}"
