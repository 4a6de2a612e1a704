"""Datasets on disk and in memory are the same, and half of one never passes for a whole."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from dvf_ros.core.spec import RobotSpec
from dvf_ros.data.dataset import ARRAYS, Dataset, DatasetError, DatasetWriter, Episode
from dvf_ros.data.episode_table import read_table, write_table
from dvf_ros.data.normalization import Normalization
from tests.data.bag_making import SPEC


def episode(length: int = 5, **about: object) -> Episode:
    rng = np.random.default_rng(length)
    made = Episode(
        states=rng.normal(size=(length, SPEC.state_size)).astype(np.float32),
        actions=rng.normal(size=(length, SPEC.action_size)).astype(np.float32),
        action_mask=rng.random(length) < 0.5,
        rewards=rng.normal(size=length).astype(np.float32),
        reward_mask=rng.random(length) < 0.5,
        stamps=np.arange(length) + 10**18,
        source="bag",
        source_digest="d",
        quality={"age_max": 0.5},
    )
    return replace(made, **about)  # type: ignore[arg-type]


def write(folder: Path, *episodes: Episode) -> Path:
    writer = DatasetWriter(folder, SPEC)
    for item in episodes:
        writer.append(item)
    writer.close()
    return folder


EPISODES = (
    episode(5, behavior="x", success=True, terminated=True, truncated=False),
    episode(1, behavior="a", success=None),
    episode(7, behavior="x", success=False),
)


def test_disk_and_memory_are_the_same(tmp_path: Path) -> None:
    disk, memory = Dataset.open(write(tmp_path / "d", *EPISODES)), Dataset.from_episodes(SPEC, EPISODES)
    for name in (*ARRAYS, "episode_start", "episode_length", "terminated", "truncated", "success", "behavior"):
        one, two = getattr(disk, name), getattr(memory, name)
        assert (one.dtype, one.shape) == (two.dtype, two.shape), name
        np.testing.assert_array_equal(one, two)
    assert isinstance(disk.states, np.memmap)
    assert (disk.quality, disk.source, disk.digest) == (memory.quality, memory.source, memory.digest)
    assert disk.behavior_names == ("a", "x") and disk.behavior.tolist() == [1, 0, 1]
    assert np.isnan(disk.success[1]) and disk.success[[0, 2]].tolist() == [1, 0]
    assert (disk.frames, disk.episodes, disk.frames_of(2)) == (13, 3, slice(6, 13))
    assert disk.spec.digest == SPEC.digest


def test_a_folder_without_its_end_is_no_dataset(tmp_path: Path) -> None:
    writer = DatasetWriter(tmp_path / "d", SPEC)
    writer.append(EPISODES[0])
    with pytest.raises(DatasetError, match="is not a dataset"):
        Dataset.open(tmp_path / "d")
    writer.close()
    np.save(tmp_path / "d" / "rewards.npy", np.zeros(3, np.float32))
    with pytest.raises(DatasetError, match=r"expected 5 frames \(episodes.parquet\), found .*'rewards': 3"):
        Dataset.open(tmp_path / "d")


@pytest.mark.parametrize(
    ("name", "array", "said"),
    [
        ("stamps", np.int64(3), r"/stamps.npy': expected a row a frame, found a single number; convert anew"),
        ("states", np.zeros((13, 2), np.float32), r"states of 5 numbers \(spec.yaml\), found \(2,\) \(states.npy\)"),
        ("actions", np.zeros(13, np.float32), r"actions of 3 numbers \(spec.yaml\), found \(\) \(actions.npy\)"),
        ("rewards", np.zeros((13, 1), np.float32), r"rewards of 1 numbers \(spec.yaml\), found \(1,\) \(rewards.npy\)"),
    ],
)
def test_arrays_that_are_not_the_specs(tmp_path: Path, name: str, array: np.ndarray, said: str) -> None:
    np.save(write(tmp_path / "d", *EPISODES) / f"{name}.npy", array)
    with pytest.raises(DatasetError, match=said):
        Dataset.open(tmp_path / "d")


def test_an_empty_file_is_no_array(tmp_path: Path) -> None:
    (write(tmp_path / "d", *EPISODES) / "rewards.npy").write_bytes(b"")
    with pytest.raises(DatasetError, match=r"'.*/d' is not a dataset \(.*\); make one with: dvf convert"):
        Dataset.open(tmp_path / "d")


def test_a_behavior_that_nobody_named_is_empty(tmp_path: Path) -> None:
    rows = read_table(write(tmp_path / "d", *EPISODES))
    place = rows.schema.get_field_index("behavior")
    write_table(rows.set_column(place, "behavior", pa.array(["x", None, "x"])), tmp_path / "d")
    data = Dataset.open(tmp_path / "d")
    assert data.behavior_names == ("", "x") and data.behavior.tolist() == [1, 0, 1]


def test_nothing_to_write_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no episode could be used"):
        write(tmp_path / "d")
    assert list((tmp_path / "d").iterdir()) == []


def test_shapes_that_are_not_the_specs(tmp_path: Path) -> None:
    wrong = replace(EPISODES[0], states=np.zeros((5, 2), np.float32))
    with pytest.raises(DatasetError, match="states: expected rows of"):
        write(tmp_path / "d", wrong)
    with pytest.raises(DatasetError, match="expected state and action of"):
        Dataset.from_episodes(SPEC, [wrong])
    with pytest.raises(DatasetError, match="expected arrays of one length"):
        replace(EPISODES[0], stamps=np.arange(3))
    with pytest.raises(DatasetError, match="at least one"):
        Dataset.from_episodes(SPEC, [])


def test_the_digest_follows_bags_episodes_and_spec() -> None:
    whole = Dataset.from_episodes(SPEC, EPISODES)
    other = RobotSpec.parse(SPEC.text.replace("rate: 10.0", "rate: 5.0"))
    assert Dataset.from_episodes(SPEC, EPISODES[:2]).digest != whole.digest
    assert Dataset.from_episodes(other, EPISODES).digest != whole.digest
    assert Dataset.from_episodes(SPEC, [replace(e, source_digest="e") for e in EPISODES]).digest != whole.digest


def test_normalization_is_that_of_all_frames() -> None:
    values = np.random.default_rng(0).normal(3, [1, 5, 1e-6], size=(1000, 3)).astype(np.float32)
    fitted = Normalization.fit(values, block=64)
    np.testing.assert_allclose(fitted.mean, values.mean(0, dtype=np.float64), rtol=1e-5)
    np.testing.assert_allclose(fitted.scale[:2], values.std(0, dtype=np.float64)[:2], rtol=1e-4)
    assert fitted.scale[2] == 1
    values[500, 1] = np.nan
    with pytest.raises(ValueError, match="dimension 1 holds NaN or Inf in frames from 448 on"):
        Normalization.fit(values, block=64)
