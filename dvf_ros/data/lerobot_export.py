"""A dataset as a LeRobotDataset v3.0, written with pyarrow alone.

Layout (docs of LeRobot, "LeRobotDataset v3.0"):

    meta/info.json                              rate, features, counts
    meta/stats.json                             min, max, mean, std, count of each feature
    meta/tasks.parquet                          task_index by task, as pandas writes it
    meta/episodes/chunk-000/file-000.parquet    a row an episode: where it lies, and what this package knows of it
    meta/spec.yaml                              the robot spec; LeRobot does not look at it
    data/chunk-000/file-000.parquet             a row a frame, a row group an episode

Numbers that are not known are zero, as everywhere here, with action_mask and reward_mask beside them: whoever trains
with LeRobot leaves those frames out. The statistics of actions and rewards are those of the known ones.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dvf_ros.data.dataset import Dataset, Episode, about_episode
from dvf_ros.data.exchange import columns_of, new_folder

VERSION = "v3.0"
FILES_IN_CHUNK = 1000
FILE_MB = 100
PLACE = "chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"


def export_lerobot(dataset: Dataset, folder: str | Path) -> None:
    """Write `dataset` as a LeRobotDataset into a new folder; memory of one episode.

    Raises ExchangeError where the folder is not empty.
    """
    with new_folder(folder) as place:
        _write(dataset, place)


def _write(dataset: Dataset, folder: Path) -> None:
    spec = dataset.spec
    features = _features(dataset)
    schema = pa.schema([(name, _arrow_type(about)) for name, about in features.items()])
    data = _DataFiles(folder / "data", schema)
    statistics = {name: _Statistics() for name in features}
    rows = []
    for index in range(dataset.episodes):
        episode = dataset.episode(index)
        start = int(dataset.episode_start[index])
        columns = _columns(episode, index, start, spec.rate)
        columns = {name: columns[name] for name in features}
        place = data.write(pa.table([_arrow(columns[name], schema.field(name).type) for name in features], schema))
        for name, values in columns.items():
            known = {"action": episode.action_mask, "next.reward": episode.reward_mask}.get(name)
            statistics[name].add(values if known is None else values[known])
        rows.append(
            {
                "episode_index": index,
                "tasks": [spec.task],
                "length": len(episode.states),
                **place,
                "dataset_from_index": start,
                "dataset_to_index": start + len(episode.states),
                "meta/episodes/chunk_index": 0,
                "meta/episodes/file_index": 0,
            }
            | columns_of(about_episode(episode))
        )
    data.close()
    episodes = folder / "meta" / "episodes" / PLACE.format(chunk_index=0, file_index=0)
    episodes.parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows).cast(_success_as_bool(rows)), episodes)
    pq.write_table(_tasks(spec.task), folder / "meta" / "tasks.parquet")
    stats = {name: found.result() for name, found in statistics.items() if found.count}
    (folder / "meta" / "stats.json").write_text(json.dumps(stats, indent=2) + "\n", encoding="utf-8")
    (folder / "meta" / "spec.yaml").write_text(spec.text, encoding="utf-8")
    # Last: without it the folder is no dataset.
    info = {
        "codebase_version": VERSION,
        "robot_type": spec.robot,
        "fps": int(spec.rate) if spec.rate == int(spec.rate) else spec.rate,
        "total_episodes": dataset.episodes,
        "total_frames": dataset.frames,
        "total_tasks": 1,
        "chunks_size": FILES_IN_CHUNK,
        "data_files_size_in_mb": FILE_MB,
        "data_path": f"data/{PLACE}",
        "video_path": None,
        "splits": {"train": f"0:{dataset.episodes}"},
        "features": features,
    }
    (folder / "meta" / "info.json").write_text(json.dumps(info, indent=4) + "\n", encoding="utf-8")


def _features(dataset: Dataset) -> dict[str, dict[str, Any]]:
    spec = dataset.spec

    def feature(kind: str, names: tuple[str, ...] | None = None) -> dict[str, Any]:
        return {"dtype": kind, "shape": [len(names) if names else 1], "names": list(names) if names else None}

    features = {"observation.state": feature("float32", spec.state_names)}
    if spec.action_size:
        features["action"] = feature("float32", spec.action_names)
    numbers = {"next.reward": "float32", "next.done": "bool", "next.success": "bool"}
    ours = {"action_mask": "bool", "reward_mask": "bool", "stamp": "int64"}
    theirs = {"timestamp": "float32"} | dict.fromkeys(("frame_index", "episode_index", "index", "task_index"), "int64")
    return features | {name: feature(kind) for name, kind in (numbers | ours | theirs).items()}


def _columns(episode: Episode, index: int, start: int, rate: float) -> dict[str, np.ndarray]:
    """One episode's features (L,) or (L, n)."""
    length = len(episode.states)
    frame = np.arange(length)
    last = frame == length - 1
    return {
        "observation.state": episode.states,
        "action": episode.actions,
        # Reward on arrival is what LeRobot calls the next one.
        "next.reward": episode.rewards,
        "next.done": last,
        "next.success": last & (episode.success is True),
        "action_mask": episode.action_mask,
        "reward_mask": episode.reward_mask,
        "stamp": episode.stamps,
        "timestamp": (frame / rate).astype(np.float32),
        "frame_index": frame,
        "episode_index": np.full(length, index),
        "index": start + frame,
        "task_index": np.zeros(length, np.int64),
    }


class _DataFiles:
    """data/chunk-…/file-….parquet: a new file where one is full."""

    def __init__(self, folder: Path, schema: pa.Schema) -> None:
        self._folder = folder
        self._schema = schema
        self._number = -1
        self._writer: pq.ParquetWriter | None = None
        self._bytes = 0

    def write(self, table: pa.Table) -> dict[str, int]:
        """Append an episode as a row group; returns where it lies."""
        if self._writer is None or self._bytes + table.nbytes > FILE_MB << 20:
            self.close()
            self._number += 1
            self._bytes = 0
            path = self._folder / PLACE.format(**self._place())
            path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = pq.ParquetWriter(path, self._schema, compression="snappy")
        self._writer.write_table(table)
        self._bytes += table.nbytes
        return {f"data/{name}": value for name, value in self._place().items()}

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()

    def _place(self) -> dict[str, int]:
        return {"chunk_index": self._number // FILES_IN_CHUNK, "file_index": self._number % FILES_IN_CHUNK}


class _Statistics:
    """Minimum, maximum, mean and deviation of a feature's numbers, episode by episode."""

    def __init__(self) -> None:
        self.count = 0

    def add(self, values: np.ndarray) -> None:
        """Take in (L,) or (L, n); merges the mean and the squares by Chan's formula, which does not cancel."""
        if not len(values):
            return
        part = values.astype(np.float64).reshape(len(values), -1)
        mean = part.mean(axis=0)
        squares = np.square(part - mean).sum(axis=0)
        if not self.count:
            self._low, self._high, self._mean, self._squares = part.min(axis=0), part.max(axis=0), mean, squares
            self.count = len(part)
            return
        total = self.count + len(part)
        apart = mean - self._mean
        self._squares = self._squares + squares + np.square(apart) * self.count * len(part) / total
        self._mean = self._mean + apart * len(part) / total
        self._low, self._high = np.minimum(self._low, part.min(axis=0)), np.maximum(self._high, part.max(axis=0))
        self.count = total

    def result(self) -> dict[str, list[float]]:
        """As stats.json holds it."""
        deviation = np.sqrt(self._squares / self.count)
        found = {"min": self._low, "max": self._high, "mean": self._mean, "std": deviation}
        return {name: values.tolist() for name, values in found.items()} | {"count": [self.count]}


def _arrow_type(feature: dict[str, Any]) -> pa.DataType:
    kind = {"float32": pa.float32(), "int64": pa.int64(), "bool": pa.bool_()}[feature["dtype"]]
    size = feature["shape"][0]
    return kind if size == 1 else pa.list_(kind, size)


def _arrow(values: np.ndarray, kind: pa.DataType) -> pa.Array:
    flat = pa.array(np.ascontiguousarray(values).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, kind.list_size) if pa.types.is_fixed_size_list(kind) else flat


def _success_as_bool(rows: list[dict]) -> pa.Schema:
    """A column in which nobody said anything would have no type."""
    schema = pa.Table.from_pylist(rows).schema
    place = schema.get_field_index("success")
    return schema.set(place, pa.field("success", pa.bool_()))


def _tasks(task: str) -> pa.Table:
    """Tasks as pandas writes them: LeRobot finds a task's number by the table's index."""
    kinds = {"task_index": ("int64", "int64"), "task": ("unicode", "object")}
    columns = [
        {"name": name, "field_name": name, "pandas_type": pandas, "numpy_type": numpy, "metadata": None}
        for name, (pandas, numpy) in kinds.items()
    ]
    about = {"index_columns": ["task"], "column_indexes": [], "columns": columns}
    table = pa.table({"task_index": pa.array([0], pa.int64()), "task": pa.array([task])})
    return table.replace_schema_metadata({"pandas": json.dumps(about)})
