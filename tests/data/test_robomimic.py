"""robomimic HDF5: our own export comes back to the bit, other people's as far as it says."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings

from dvf_ros.core.spec import RobotSpec
from dvf_ros.data import robomimic_export
from dvf_ros.data.dataset import Dataset
from dvf_ros.data.exchange import ExchangeError
from dvf_ros.data.robomimic_export import export_robomimic
from dvf_ros.data.robomimic_import import read_robomimic
from tests.data.bag_making import SPEC
from tests.data.datasets import assert_same, datasets
from tests.data.test_dataset import EPISODES, episode

ROBOSUITE = {"env_name": "Lift", "type": 1, "env_kwargs": {"control_freq": 20}}


def write_foreign(path: Path, next_obs: bool, env_args: dict = ROBOSUITE, demos: tuple[int, ...] = (2, 10)) -> Path:
    """What robomimic's own scripts write: two low-dimensional observations and a camera."""
    with h5py.File(path, "w") as file:
        file.create_group("data").attrs["env_args"] = json.dumps(env_args)
        for demo in demos:
            group = file["data"].create_group(f"demo_{demo}")
            steps = np.arange(5, dtype=np.float64)
            for kind, shift in (("obs", 0), ("next_obs", 1))[: 1 + next_obs]:
                group[f"{kind}/eef_pos"] = np.stack([steps + shift, -steps - shift, 100.0 * demo + 0 * steps], axis=1)
                group[f"{kind}/gripper"] = 0.5 * (steps + shift)
                group[f"{kind}/image"] = np.zeros((5, 4, 4, 3), np.uint8)
            group["actions"] = 10 * steps[:, None] + np.arange(2)
            group["rewards"] = 1000 * steps
            group["dones"] = np.array([0, 0, 0, 0, 1])
            group.attrs["num_samples"] = 5
    return path


@given(datasets(shortest=2))
@settings(max_examples=20, deadline=None)
def test_there_and_back_is_the_same(dataset: Dataset) -> None:
    with tempfile.TemporaryDirectory() as folder:
        assert export_robomimic(dataset, Path(folder) / "out.hdf5") == 0
        spec, found = read_robomimic(Path(folder) / "out.hdf5")
        assert spec.text == dataset.spec.text
        for index, read in enumerate(found):
            assert_same(read, dataset.episode(index))
        assert index == dataset.episodes - 1


def test_the_file_is_robomimics(tmp_path: Path) -> None:
    made = Dataset.from_episodes(SPEC, EPISODES)
    assert export_robomimic(made, tmp_path / "new" / "out.hdf5") == 1, "the episode of one frame"
    with h5py.File(tmp_path / "new" / "out.hdf5") as file:
        assert file["data"].attrs["total"] == 4 + 6
        assert json.loads(file["data"].attrs["env_args"])["env_name"] == "reach"
        demo = file["data/demo_0"]
        np.testing.assert_array_equal(demo["obs/position"], EPISODES[0].states[:-1, :2])
        np.testing.assert_array_equal(demo["next_obs/tip"], EPISODES[0].states[1:, 2:])
        assert demo.attrs["num_samples"] == 4 and demo["actions"].shape == (4, 3)
        assert demo["dones"][:].tolist() == [0, 0, 0, 1], "it terminated"
        assert file["data/demo_1/dones"][:].tolist() == [0] * 6, "it was cut off"
        assert {key: names[:].tolist() for key, names in file["mask"].items()} == {
            "behavior_x": [b"demo_0", b"demo_1"],
            "success": [b"demo_0"],
            "failure": [b"demo_1"],
        }
    with pytest.raises(ExchangeError, match="is there already"):
        export_robomimic(made, tmp_path / "new" / "out.hdf5")
    with pytest.raises(ExchangeError, match="no episode has a transition"):
        export_robomimic(Dataset.from_episodes(SPEC, [episode(1)]), tmp_path / "none.hdf5")


def test_an_export_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(robomimic_export, "_filter_keys", full)
    with pytest.raises(OSError, match="No space left"):
        export_robomimic(Dataset.from_episodes(SPEC, EPISODES), tmp_path / "out.hdf5")
    assert list(tmp_path.iterdir()) == []


def test_next_obs_gives_a_last_frame(tmp_path: Path) -> None:
    spec, found = read_robomimic(write_foreign(tmp_path / "a.hdf5", next_obs=True))
    first, second = found
    assert (spec.robot, spec.rate) == ("Lift", 20.0)
    assert spec.state_names == ("eef_pos.0", "eef_pos.1", "eef_pos.2", "gripper")
    np.testing.assert_array_equal(first.states[:, 0], [0, 1, 2, 3, 4, 5])
    np.testing.assert_array_equal(first.states[:, 3], [0, 0.5, 1, 1.5, 2, 2.5])
    assert first.states[0, 2] == 200 and second.states[0, 2] == 1000, "demo_2 before demo_10"
    np.testing.assert_array_equal(first.actions[:, 0], [0, 10, 20, 30, 40, 0])
    np.testing.assert_array_equal(first.rewards, [0, 1000, 2000, 3000, 4000, 0])
    assert first.action_mask.tolist() == first.reward_mask.tolist() == [True] * 5 + [False]
    assert (first.success, first.terminated, first.source) == (None, False, "a.hdf5/demo_2")
    assert first.quality == {"action_coverage": 1, "reward_coverage": 1}


def test_without_next_obs_the_last_action_leads_nowhere(tmp_path: Path) -> None:
    _, found = read_robomimic(write_foreign(tmp_path / "a.hdf5", next_obs=False))
    first = next(found)
    assert len(first.states) == 5
    assert first.action_mask.tolist() == first.reward_mask.tolist() == [True] * 4 + [False]
    np.testing.assert_array_equal(first.rewards, [0, 1000, 2000, 3000, 0])


def test_a_spec_of_ones_own_picks_observations_by_name(tmp_path: Path) -> None:
    source = write_foreign(tmp_path / "a.hdf5", next_obs=True)
    text = """
robot: panda
task: lift
rate: 20
state:
  - {topic: gripper, type: std_msgs/msg/Float64, stamp: receive, fields: [{name: gripper, path: data}]}
  - topic: eef
    type: geometry_msgs/msg/PointStamped
    fields: [{name: eef_pos, kind: vector, path: point}]
action:
  - topic: command
    type: std_msgs/msg/Float64MultiArray
    stamp: receive
    fields: [{name: command, kind: array, size: 2, path: data}]
"""
    _, found = read_robomimic(source, RobotSpec.parse(text))
    np.testing.assert_array_equal(next(found).states[1], [0.5, 1, -1, 200])
    with pytest.raises(ExchangeError, match=r"no obs/eef_position, a state field; did you mean 'eef_pos'\?"):
        next(read_robomimic(source, RobotSpec.parse(text.replace("eef_pos", "eef_position")))[1])
    with pytest.raises(ExchangeError, match=r"expected obs/eef_pos of 4 numbers, found 3"):
        next(read_robomimic(source, RobotSpec.parse(text.replace("kind: vector", "kind: quaternion")))[1])
    with pytest.raises(ExchangeError, match=r"expected the spec's 3 action numbers, found 2"):
        next(read_robomimic(source, RobotSpec.parse(text.replace("size: 2", "size: 3")))[1])
    with pytest.raises(ExchangeError, match=r"expected frames at the spec's 10 Hz, found 20 Hz"):
        read_robomimic(source, RobotSpec.parse(text.replace("rate: 20", "rate: 10")))


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    (tmp_path / "text.hdf5").write_text("no HDF5")
    with pytest.raises(ExchangeError, match="is no HDF5 file that can be read"):
        read_robomimic(tmp_path / "text.hdf5")
    with h5py.File(tmp_path / "other.hdf5", "w") as file:
        file["something"] = 1
    with pytest.raises(ExchangeError, match=r"expected data/demo_0, …, found something"):
        read_robomimic(tmp_path / "other.hdf5")
    with pytest.raises(ExchangeError, match=r"does not say its rate .* give a --spec"):
        read_robomimic(write_foreign(tmp_path / "rateless.hdf5", next_obs=True, env_args={"env_name": "x"}))
    source = write_foreign(tmp_path / "jump.hdf5", next_obs=True)
    with h5py.File(source, "r+") as file:
        file["data/demo_2/next_obs/gripper"][1] = 7
    with pytest.raises(ExchangeError, match=r"demo_2: next_obs is not the obs of the step after"):
        list(read_robomimic(source)[1])
    with h5py.File(source, "r+") as file:
        del file["data/demo_2/next_obs"], file["data/demo_2/rewards"]
        file["data/demo_2/rewards"] = np.zeros(3)
    with pytest.raises(ExchangeError, match=r"expected 5 rewards, one an observation, found 3"):
        list(read_robomimic(source)[1])


def test_rewards_of_one_column_are_rewards(tmp_path: Path) -> None:
    source = write_foreign(tmp_path / "a.hdf5", next_obs=True)
    plain = list(read_robomimic(source)[1])
    with h5py.File(source, "r+") as file:
        for demo in ("demo_2", "demo_10"):
            rewards = file[f"data/{demo}/rewards"][:]
            del file[f"data/{demo}/rewards"]
            file[f"data/{demo}/rewards"] = rewards[:, None]
    for one, two in zip(plain, read_robomimic(source)[1], strict=True):
        assert_same(one, two)
    with h5py.File(source, "r+") as file:
        del file["data/demo_2/rewards"]
        file["data/demo_2/rewards"] = np.zeros((5, 2))
    with pytest.raises(ExchangeError, match=r"'a.hdf5/demo_2': expected 6 rewards, one a frame, found \(6, 2\)"):
        list(read_robomimic(source)[1])


@pytest.mark.parametrize(
    "env_args", ["no JSON", "null", '{"env_kwargs": null}', '{"env_kwargs": {"control_freq": "?"}}']
)
def test_an_environment_that_says_no_rate_needs_a_spec(tmp_path: Path, env_args: str) -> None:
    source = write_foreign(tmp_path / "a.hdf5", next_obs=True)
    spec, found = read_robomimic(source)
    plain = list(found)
    with h5py.File(source, "r+") as file:
        file["data"].attrs["env_args"] = env_args
    with pytest.raises(ExchangeError, match=f"control_freq in Hz, found {re.escape(env_args)}.; give a --spec"):
        read_robomimic(source)
    for one, two in zip(plain, read_robomimic(source, spec)[1], strict=True):
        assert_same(one, two)


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        (
            "obs/gripper",
            np.array([b"open"] * 5),
            r"demo_2: expected rows of numbers in obs/gripper, found an array of \\|S4",
        ),
        ("obs/gripper", np.zeros(0), r"demo_2: expected rows in obs, as many in every field, found \[5, 0\]"),
        ("actions", None, "demo_2: expected rows of numbers in actions, found a group"),
        ("rewards", np.array([b"good"] * 5), r"demo_2: expected rows of numbers in rewards, found an array of \\|S4"),
    ],
)
def test_arrays_that_are_no_rows_of_numbers_are_refused(
    tmp_path: Path, name: str, values: np.ndarray | None, said: str
) -> None:
    source = write_foreign(tmp_path / "a.hdf5", next_obs=False, demos=(2,))
    with h5py.File(source, "r+") as file:
        del file[f"data/demo_2/{name}"]
        if values is None:
            file.create_group(f"data/demo_2/{name}")
        else:
            file[f"data/demo_2/{name}"] = values
    with pytest.raises(ExchangeError, match=said):
        list(read_robomimic(source)[1])


def test_observations_without_rows_are_refused(tmp_path: Path) -> None:
    source = write_foreign(tmp_path / "a.hdf5", next_obs=False, demos=(2,))
    with h5py.File(source, "r+") as file:
        for name, width in (("eef_pos", 3), ("gripper", 1)):
            del file[f"data/demo_2/obs/{name}"]
            file[f"data/demo_2/obs/{name}"] = np.zeros((0, width))
    with pytest.raises(ExchangeError, match=r"expected rows in obs, as many in every field, found \[0, 0\]"):
        list(read_robomimic(source)[1])


@pytest.mark.parametrize("place", ["data", "data/demo_0"])
def test_data_that_is_no_group_is_refused(tmp_path: Path, place: str) -> None:
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file[place] = np.zeros(3)
    with pytest.raises(ExchangeError, match=r"expected data/demo_0, …, found data"):
        read_robomimic(tmp_path / "a.hdf5")
