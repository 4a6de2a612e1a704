"""LeRobotDataset v3.0: our own export comes back to the bit, other people's as far as it says, nothing by guess."""

from __future__ import annotations

import json
import tempfile
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings

from dvf_ros.core.spec import RobotSpec
from dvf_ros.data import lerobot_export
from dvf_ros.data.dataset import Dataset
from dvf_ros.data.exchange import ExchangeError, masked_episode, write_imported
from dvf_ros.data.lerobot_export import export_lerobot
from dvf_ros.data.lerobot_import import read_lerobot
from tests.data.bag_making import SPEC
from tests.data.datasets import assert_same, datasets
from tests.data.test_dataset import episode

SCALARS = RobotSpec.parse(
    """
robot: one
task: scalar
rate: 12.5
state:
  - {topic: level, type: std_msgs/msg/Float64, stamp: receive, fields: [{name: level, path: data}]}
action: []
"""
)


def write_foreign(folder: Path, lengths: tuple[int, ...] = (4, 3), **changes: object) -> Path:
    """What somebody else may have recorded: two state features, a camera, a reward and success."""
    frames = sum(lengths)
    features = {
        "observation.state": {"dtype": "float32", "shape": [2], "names": {"motors": ["shoulder", "elbow"]}},
        "observation.environment_state": {"dtype": "float32", "shape": [1], "names": None},
        "observation.images.top": {"dtype": "video", "shape": [4, 4, 3], "names": None},
        "action": {"dtype": "float32", "shape": [2], "names": ["shoulder", "elbow"]},
        "next.reward": {"dtype": "float32", "shape": [1], "names": None},
        "next.success": {"dtype": "bool", "shape": [1], "names": None},
    }
    info = {"codebase_version": "v3.0", "fps": 30, "robot_type": "so100", "features": features} | changes
    index = np.repeat(np.arange(len(lengths)), lengths)
    values = np.arange(2 * frames, dtype=np.float32)
    pairs = pa.array(values.reshape(-1, 2).tolist(), pa.list_(pa.float32()))
    table = pa.table(
        {
            "observation.state": pairs,
            "observation.environment_state": pa.array(np.arange(frames, dtype=np.float32)),
            "action": pairs,
            "next.reward": pa.array(100 * np.arange(frames, dtype=np.float32)),
            "next.success": pa.array(index == 1),
            "episode_index": index,
            "frame_index": np.concatenate([np.arange(length) for length in lengths]),
        }
    )
    (folder / "data" / "chunk-000").mkdir(parents=True)
    # An episode may go on in the next file.
    pq.write_table(table.slice(0, 5), folder / "data" / "chunk-000" / "file-000.parquet")
    pq.write_table(table.slice(5), folder / "data" / "chunk-000" / "file-001.parquet")
    rows = [{"episode_index": i, "length": n, "tasks": [f"task {i}"]} for i, n in enumerate(lengths)]
    (folder / "meta" / "episodes" / "chunk-000").mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), folder / "meta" / "episodes" / "chunk-000" / "file-000.parquet")
    (folder / "meta" / "info.json").write_text(json.dumps(info))
    return folder


@given(datasets())
@settings(max_examples=20, deadline=None)
def test_there_and_back_is_the_same(dataset: Dataset) -> None:
    with tempfile.TemporaryDirectory() as folder:
        export_lerobot(dataset, folder)
        spec, found = read_lerobot(folder)
        assert spec.text == dataset.spec.text
        for index, read in enumerate(found):
            assert_same(read, dataset.episode(index))
        assert index == dataset.episodes - 1


@given(datasets(SCALARS))
@settings(max_examples=10, deadline=None)
def test_a_single_number_and_no_actions(dataset: Dataset) -> None:
    with tempfile.TemporaryDirectory() as folder:
        export_lerobot(dataset, folder)
        _, found = read_lerobot(folder)
        for index, read in enumerate(found):
            assert_same(read, dataset.episode(index))


def test_a_full_file_is_followed_by_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lerobot_export, "FILE_MB", 0)
    monkeypatch.setattr(lerobot_export, "FILES_IN_CHUNK", 2)
    dataset = Dataset.from_episodes(SPEC, [episode(n, action_mask=np.zeros(n, bool)) for n in (3, 4, 5)])
    export_lerobot(dataset, tmp_path / "out")
    files = sorted(
        str(path.relative_to(tmp_path / "out" / "data")) for path in (tmp_path / "out" / "data").rglob("*.p*")
    )
    assert files == ["chunk-000/file-000.parquet", "chunk-000/file-001.parquet", "chunk-001/file-000.parquet"]
    assert [len(read.states) for read in read_lerobot(tmp_path / "out")[1]] == [3, 4, 5]


def test_statistics_are_of_what_is_known(tmp_path: Path) -> None:
    made = [episode(n) for n in (5, 50, 7)]
    export_lerobot(Dataset.from_episodes(SPEC, made), tmp_path / "out")
    stats = json.loads((tmp_path / "out" / "meta" / "stats.json").read_text())
    known = np.concatenate([one.actions[one.action_mask] for one in made]).astype(np.float64)
    states = np.concatenate([one.states for one in made]).astype(np.float64)
    for name, values in (("action", known), ("observation.state", states)):
        assert stats[name]["count"] == [len(values)]
        for word, truth in (
            ("min", values.min(0)),
            ("max", values.max(0)),
            ("mean", values.mean(0)),
            ("std", values.std(0)),
        ):
            np.testing.assert_allclose(stats[name][word], truth, rtol=1e-9, err_msg=f"{name} {word}")


def test_other_peoples_data_gets_a_spec_and_masks(tmp_path: Path) -> None:
    spec, found = read_lerobot(write_foreign(tmp_path / "so100"))
    first, second = found
    assert (spec.robot, spec.rate, spec.state_size) == ("so100", 30.0, 3)
    assert spec.state_names == ("shoulder", "elbow", "observation.environment_state")
    assert spec.action_names == ("shoulder", "elbow")
    np.testing.assert_array_equal(first.states, [[0, 1, 0], [2, 3, 1], [4, 5, 2], [6, 7, 3]])
    np.testing.assert_array_equal(second.states[:, :2], [[8, 9], [10, 11], [12, 13]])
    assert first.action_mask.tolist() == first.reward_mask.tolist() == [True, True, True, False]
    np.testing.assert_array_equal(first.actions[:, 0], [0, 2, 4, 0])
    np.testing.assert_array_equal(first.rewards, [0, 100, 200, 0])
    assert np.diff(first.stamps).tolist() == [spec.period_ns] * 3
    assert (first.behavior, second.behavior) == ("task 0", "task 1")
    assert (first.success, second.success) == (False, True)
    assert (first.terminated, first.truncated) == (False, True)
    assert first.quality == {"action_coverage": 1, "reward_coverage": 1, "unplaced_reward": 300}


def test_other_peoples_data_with_a_spec_of_ones_own(tmp_path: Path) -> None:
    source = write_foreign(tmp_path / "so100")
    drafted, _ = read_lerobot(source)
    assert read_lerobot(source, drafted)[0] is drafted
    swapped = drafted.text.replace("shoulder", "x").replace("elbow", "shoulder").replace("{name: x", "{name: elbow")
    with pytest.raises(ExchangeError, match=r"another order than the spec's; expected \['elbow', 'shoulder'"):
        read_lerobot(source, RobotSpec.parse(swapped))
    with pytest.raises(ExchangeError, match=r"expected frames at the spec's 20 Hz, found 30 Hz"):
        read_lerobot(source, RobotSpec.parse(drafted.text.replace("rate: 30.0", "rate: 20.0")))
    with pytest.raises(ExchangeError, match=r"expected the spec's 5 numbers, found 3"):
        read_lerobot(source, replace(SPEC, rate=30.0))


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    with pytest.raises(ExchangeError, match=r"is no LeRobotDataset: .*info.json"):
        read_lerobot(tmp_path)
    with pytest.raises(ExchangeError, match=r"expected LeRobotDataset v3.0, found v2.1; LeRobot's convert_dataset"):
        read_lerobot(write_foreign(tmp_path / "old", codebase_version="v2.1"))
    with pytest.raises(ExchangeError, match=r"expected the feature 'observation.state', found none"):
        read_lerobot(write_foreign(tmp_path / "stateless", features={}))
    holes = write_foreign(tmp_path / "holes")
    file = holes / "data" / "chunk-000" / "file-000.parquet"
    table = pq.read_table(file)
    pq.write_table(table.slice(0, 2), file)
    with pytest.raises(ExchangeError, match=r"the frames of episode 1 are not 0, 1, 2"):
        list(read_lerobot(holes)[1])
    pq.write_table(table.drop_columns(["action"]), file)
    with pytest.raises(ExchangeError, match=r"expected the columns \['action'\]"):
        list(read_lerobot(holes)[1])
    pq.write_table(table.set_column(1, "observation.environment_state", pa.array([np.nan] * 5, pa.float32())), file)
    with pytest.raises(ExchangeError, match=r"the state of frame 0 holds NaN or Inf"):
        list(read_lerobot(holes)[1])
    file.write_bytes(b"PAR1 and nothing else")
    with pytest.raises(ExchangeError, match=r"file-000.parquet' cannot be read"):
        list(read_lerobot(holes)[1])


def test_nothing_is_overwritten_and_half_an_import_is_no_dataset(tmp_path: Path) -> None:
    dataset = Dataset.from_episodes(SPEC, [episode(5)])
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").touch()
    with pytest.raises(ExchangeError, match="is not empty; name a new folder"):
        export_lerobot(dataset, tmp_path / "out")
    source = write_foreign(tmp_path / "foreign")
    (source / "data" / "chunk-000" / "file-001.parquet").write_bytes(b"cut off")
    spec, found = read_lerobot(source)
    with pytest.raises(ExchangeError, match=r"file-001.parquet' cannot be read"):
        write_imported(tmp_path / "data", spec, found)
    assert list((tmp_path / "data").iterdir()) == []


def test_an_export_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(lerobot_export, "_tasks", full)
    with pytest.raises(OSError, match="No space left"):
        export_lerobot(Dataset.from_episodes(SPEC, [episode(5)]), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def rewrite(source: Path, name: str, values: pa.Array) -> Path:
    """Another column `name` in the first data file of a foreign dataset."""
    file = source / "data" / "chunk-000" / "file-000.parquet"
    table = pq.read_table(file)
    pq.write_table(table.set_column(table.schema.get_field_index(name), name, values), file)
    return source


PAIRS = pa.list_(pa.float32())


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        # Ten numbers in five rows: those that are missing in one row would come from the next.
        ("action", pa.array([[1, 2], [3, 4], [5, 6], [7], [8, 9, 10]], PAIRS), r"of one length, found \[1, 2, 3\]"),
        ("action", pa.array([[1, 2], [3, 4], [5, 6], [7, 8], None], PAIRS), "has rows without a value"),
        ("action", pa.array(["a", "b", "c", "d", "e"]), "'action': expected numbers, found string"),
        ("next.reward", pa.array([[1, 2]] * 5, PAIRS), r"'so100/0': expected 4 rewards, one a frame, found \(4, 2\)"),
    ],
)
def test_columns_that_are_no_rows_of_numbers_are_refused(
    tmp_path: Path, name: str, values: pa.Array, said: str
) -> None:
    source = rewrite(write_foreign(tmp_path / "so100", lengths=(4, 1)), name, values)
    with pytest.raises(ExchangeError, match=said):
        list(read_lerobot(source)[1])


def test_lists_of_one_number_are_numbers(tmp_path: Path) -> None:
    source = write_foreign(tmp_path / "so100", lengths=(4, 1))
    rewrite(source, "next.reward", pa.array([[7], [8], [9], [10], [11]], PAIRS))
    first = next(read_lerobot(source)[1])
    assert first.rewards.tolist() == [7, 8, 9, 0] and first.rewards.shape == (4,)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"fps": None}, r"info.json', fps: expected frames a second, a number above zero, found None"),
        ({"fps": 0}, r"fps: .* found 0"),
        ({"features": []}, r"features: expected a mapping by name, found \[\]"),
        ({"features": {"action": {"shape": [2]}}}, r"feature 'action': expected its dtype and shape, found {'shape'"),
        ({"features": {"action": {"dtype": "float32"}}}, r"feature 'action': expected its dtype and shape"),
        ({"features": {"action": None}}, r"feature 'action': expected its dtype and shape, found None"),
    ],
)
def test_information_that_cannot_be_meant_is_refused(tmp_path: Path, changes: dict, said: str) -> None:
    with pytest.raises(ExchangeError, match=said):
        read_lerobot(write_foreign(tmp_path / "so100", **changes))


def test_episodes_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    source = write_foreign(tmp_path / "so100")
    file = source / "meta" / "episodes" / "chunk-000" / "file-000.parquet"
    table = pq.read_table(file)
    for wrong in (table.drop_columns(["tasks"]), table.set_column(2, "tasks", pa.array([None, ["a"]]))):
        pq.write_table(wrong, file)
        with pytest.raises(ExchangeError, match=r"file-000.parquet': expected an episode_index and tasks \(a list of"):
            list(read_lerobot(source)[1])
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ExchangeError, match=r"episodes/chunk-000/file-000.parquet' cannot be read: .*download it anew"):
        list(read_lerobot(source)[1])


def test_memory_is_that_of_an_episode(tmp_path: Path) -> None:
    """Forty episodes need no more than ten: numpy's and Python's memory, and pyarrow's."""
    peaks = []
    one = episode(2000, action_mask=np.zeros(2000, bool), reward_mask=np.zeros(2000, bool))
    for count in (10, 40):
        dataset = Dataset.from_episodes(SPEC, [one] * count)
        tracemalloc.start()
        export_lerobot(dataset, tmp_path / f"{count}")
        spec, found = read_lerobot(tmp_path / f"{count}")
        assert write_imported(tmp_path / f"{count}_data", spec, found) == (count, 2000 * count)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0] + 100_000, peaks


def test_of_a_robot_that_is_only_watched_all_actions_are_known() -> None:
    """Else its import could not be trained: there are none, but at the last frame."""
    watched, states = replace(SPEC, action=()), np.zeros((4, SPEC.state_size))
    found = masked_episode(watched, states, None, None, {}, {"source": "x", "behavior": ""})
    assert found.action_mask.tolist() == [True, True, True, False] and found.actions.shape == (4, 0)
    assert not masked_episode(SPEC, states, None, None, {}, {"source": "x", "behavior": ""}).action_mask.any()
