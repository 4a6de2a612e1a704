"""LeRobot and robomimic themselves read what `dvf export` wrote, and `dvf import` reads what LeRobot itself wrote.

In their own environment, which `make peers` installs: their numpy is not ROS 2's.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dvf_ros.data.dataset import Dataset
from dvf_ros.data.lerobot_export import export_lerobot
from dvf_ros.data.lerobot_import import read_lerobot
from dvf_ros.data.robomimic_export import export_robomimic
from tests.data.test_dataset import EPISODES, SPEC

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-lerobot" / "bin" / "python"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not PYTHON.exists(), reason="LeRobot and robomimic are not installed here; `make peers` does it"
    ),
]
LOAD = """
import json, sys
from lerobot.datasets.lerobot_dataset import LeRobotDataset
data = LeRobotDataset("local/exported", root=sys.argv[1], delta_timestamps={"observation.state": [-0.1, 0.0]})
rows = [data[i] for i in range(len(data))]
print(json.dumps({
    "state": [row["observation.state"][1].tolist() for row in rows],
    "before": [row["observation.state"][0].tolist() for row in rows],
    "action": [row["action"].tolist() for row in rows],
    "mask": [row["action_mask"].item() for row in rows],
    "reward": [row["next.reward"].item() for row in rows],
    "stamp": [row["stamp"].item() for row in rows],
    "task": sorted({row["task"] for row in rows}),
    "behavior": list(data.meta.episodes["behavior"]),
    "fps": data.fps,
    "mean": data.meta.stats["observation.state"]["mean"].tolist(),
}))
"""
WRITE = """
import sys
import numpy as np
from lerobot.datasets.lerobot_dataset import LeRobotDataset
feature = {"dtype": "float32", "shape": (2,), "names": ["a", "b"]}
data = LeRobotDataset.create("local/own", fps=10, root=sys.argv[1], robot_type="toy", use_videos=False,
    features={"observation.state": feature, "action": feature})
for episode in range(3):
    for k in range(4 + episode):
        row = np.array([episode, k], np.float32)
        data.add_frame({"observation.state": row, "action": 10 * row, "task": f"task {episode % 2}"})
    data.save_episode()
data.finalize()
"""
SEQUENCES = """
import json, sys
import robomimic.utils.file_utils as files
import robomimic.utils.obs_utils as observations
from robomimic.utils.dataset import SequenceDataset
keys = ["position", "tip"]
observations.initialize_obs_utils_with_obs_specs({"obs": {"low_dim": keys}})
data = SequenceDataset(sys.argv[1], keys, ["actions", "rewards", "dones", "action_mask"], load_next_obs=True,
    hdf5_cache_mode="low_dim", filter_by_attribute="behavior_x")
rows = [data[i] for i in range(len(data))]
print(json.dumps({
    "environment": files.get_env_metadata_from_dataset(sys.argv[1])["env_name"],
    "demos": data.demos,
    "state": [[*row["obs"]["position"][0].tolist(), *row["obs"]["tip"][0].tolist()] for row in rows],
    "next": [[*row["next_obs"]["position"][0].tolist(), *row["next_obs"]["tip"][0].tolist()] for row in rows],
    "action": [row["actions"][0].tolist() for row in rows],
    "reward": [row["rewards"][0].item() for row in rows],
    "done": [row["dones"][0].item() for row in rows],
}))
"""


def in_their_environment(code: str, folder: Path) -> str:
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    env |= {"HF_HUB_OFFLINE": "1", "HF_HOME": str(folder.parent / "cache")}
    done = subprocess.run([PYTHON, "-c", code, folder], env=env, cwd=folder.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture
def dataset() -> Dataset:
    masks = [one.action_mask & (np.arange(len(one.states)) < len(one.states) - 1) for one in EPISODES]
    return Dataset.from_episodes(
        SPEC, [replace(one, action_mask=mask) for one, mask in zip(EPISODES, masks, strict=True)]
    )


def test_lerobot_reads_our_export(dataset: Dataset, tmp_path: Path) -> None:
    export_lerobot(dataset, tmp_path / "out")
    read = json.loads(in_their_environment(LOAD, tmp_path / "out"))
    np.testing.assert_array_equal(np.array(read["state"], np.float32), dataset.states)
    np.testing.assert_array_equal(np.array(read["action"], np.float32), dataset.actions)
    np.testing.assert_array_equal(np.array(read["reward"], np.float32), dataset.rewards)
    assert read["mask"] == dataset.action_mask.tolist() and read["stamp"] == dataset.stamps.tolist()
    before = [
        max(i - 1, start)
        for start, n in zip(dataset.episode_start, dataset.episode_length, strict=True)
        for i in range(start, start + n)
    ]
    np.testing.assert_array_equal(np.array(read["before"], np.float32), dataset.states[before])
    assert (read["task"], read["behavior"], read["fps"]) == (["reach"], ["x", "a", "x"], 10)
    np.testing.assert_allclose(read["mean"], dataset.states.mean(0), rtol=1e-5)


def test_we_read_what_lerobot_wrote(tmp_path: Path) -> None:
    in_their_environment(WRITE, tmp_path / "own")
    spec, found = read_lerobot(tmp_path / "own")
    episodes = list(found)
    assert (spec.robot, spec.rate, spec.state_names) == ("toy", 10.0, ("a", "b"))
    assert [len(one.states) for one in episodes] == [4, 5, 6]
    assert [one.behavior for one in episodes] == ["task 0", "task 1", "task 0"]
    np.testing.assert_array_equal(episodes[1].states, [[1, k] for k in range(5)])
    np.testing.assert_array_equal(episodes[1].actions, [*([10, 10 * k] for k in range(4)), [0, 0]])
    assert not any(one.reward_mask.any() for one in episodes)


def test_robomimic_reads_our_export(dataset: Dataset, tmp_path: Path) -> None:
    export_robomimic(dataset, tmp_path / "out.hdf5")
    # It prints its progress before.
    read = json.loads(in_their_environment(SEQUENCES, tmp_path / "out.hdf5").strip().splitlines()[-1])
    before = np.array(
        [0, 1, 2, 3, 6, 7, 8, 9, 10, 11]
    )  # the frames of 5 and 7 about an episode of 1, without last ones
    assert (read["environment"], read["demos"]) == ("reach", ["demo_0", "demo_1"])
    np.testing.assert_array_equal(np.array(read["state"], np.float32), dataset.states[before])
    np.testing.assert_array_equal(np.array(read["next"], np.float32), dataset.states[before + 1])
    np.testing.assert_array_equal(np.array(read["action"], np.float32), dataset.actions[before])
    np.testing.assert_array_equal(np.array(read["reward"], np.float32), dataset.rewards[before])
    assert read["done"] == [0, 0, 0, 1, 0, 0, 0, 0, 0, 0]
