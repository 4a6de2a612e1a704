"""A memory-mapped dataset of trajectories.

Layout of the folder (F frames, E episodes; D, A from the spec):

    spec.yaml         the robot spec's text
    states.npy        (F, D) float32    s_k
    actions.npy       (F, A) float32    a_k, taken in s_k, leads to s_{k+1}
    action_mask.npy   (F,)   bool       whether a_k is known
    rewards.npy       (F,)   float32    reward on arrival: belongs to s_{k+1}
    reward_mask.npy   (F,)   bool
    stamps.npy        (F,)   int64      nanoseconds
    episodes.parquet  one row per episode, see Episode

An episode's frames lie together; its last frame has no action and no reward.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from dvf_ros.core.spec import RobotSpec
from dvf_ros.data.array_file import ArrayFile
from dvf_ros.data.episode_table import columns_of, make_table, read_table, write_table

ARRAYS = {
    "states": np.float32,
    "actions": np.float32,
    "action_mask": np.bool_,
    "rewards": np.float32,
    "reward_mask": np.bool_,
    "stamps": np.int64,
}


class DatasetError(ValueError):
    """A dataset folder is missing, incomplete or contradicts itself."""


@dataclass(frozen=True)
class Episode:
    """L frames in a row, without a gap, and where they come from."""

    states: np.ndarray  # (L, D)
    actions: np.ndarray  # (L, A), zero where masked
    action_mask: np.ndarray  # (L,)
    rewards: np.ndarray  # (L,), zero where masked
    reward_mask: np.ndarray  # (L,)
    stamps: np.ndarray  # (L,)
    behavior: str = ""
    success: bool | None = None  # None: nobody said
    terminated: bool = False
    truncated: bool = True
    source: str = ""  # the bag
    source_digest: str = ""  # its SHA-256
    quality: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lengths = {name: len(getattr(self, name)) for name in ARRAYS}
        if len(set(lengths.values())) != 1:
            raise DatasetError(f"episode of '{self.source}': expected arrays of one length, found {lengths}")
        if not len(self.states):
            raise DatasetError(f"episode of '{self.source}' has no frames")


@dataclass(frozen=True)
class Dataset:
    """All episodes, frame after frame; see the module for shapes."""

    spec: RobotSpec
    states: np.ndarray
    actions: np.ndarray
    action_mask: np.ndarray
    rewards: np.ndarray
    reward_mask: np.ndarray
    stamps: np.ndarray
    episode_start: np.ndarray  # (E,) int64
    episode_length: np.ndarray  # (E,) int64
    terminated: np.ndarray  # (E,) bool
    truncated: np.ndarray  # (E,) bool
    success: np.ndarray  # (E,) float32: 1, 0, or NaN where nobody said
    behavior: np.ndarray  # (E,) int64, index into behavior_names
    behavior_names: tuple[str, ...]
    source: tuple[str, ...]
    source_digest: tuple[str, ...]
    quality_text: tuple[str, ...]  # JSON; read by `quality`

    @cached_property
    def quality(self) -> tuple[dict[str, float], ...]:
        """Figures of each episode; see FrameBuffer.quality."""
        return tuple(json.loads(text) for text in self.quality_text)

    @property
    def frames(self) -> int:
        """F, the number of frames."""
        return len(self.states)

    @property
    def episodes(self) -> int:
        """E, the number of episodes."""
        return len(self.episode_start)

    @property
    def digest(self) -> str:
        """SHA-256 of what the episodes are and the bags they come from."""
        content = hashlib.sha256(self.spec.digest.encode())
        if all(self.source_digest):
            content.update("".join(self.source_digest).encode())
        else:
            content.update(np.ascontiguousarray(self.states).tobytes())
            content.update(np.ascontiguousarray(self.actions).tobytes())
        content.update(self.episode_length.tobytes())
        return content.hexdigest()

    @classmethod
    def from_episodes(cls, spec: RobotSpec, episodes: Sequence[Episode]) -> Dataset:
        """Join episodes in memory; raises DatasetError if there are none or their shapes are not the spec's."""
        if not episodes:
            raise DatasetError("no episodes: expected at least one")
        for episode in episodes:
            found = (episode.states.shape[1:], episode.actions.shape[1:])
            expected = ((spec.state_size,), (spec.action_size,))
            if found != expected:
                raise DatasetError(
                    f"episode of '{episode.source}': expected state and action of {expected}, found {found}"
                )
        arrays: dict[str, Any] = {
            name: np.concatenate([np.asarray(getattr(episode, name), dtype) for episode in episodes])
            for name, dtype in ARRAYS.items()
        }
        return cls(spec=spec, **arrays, **columns_of(make_table(map(_row, episodes))))

    @classmethod
    def open(cls, folder: str | Path) -> Dataset:
        """Map a dataset folder into memory, read-only; raises DatasetError naming the file at fault."""
        folder = Path(folder)
        try:
            spec = RobotSpec.load(folder / "spec.yaml")
            arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in ARRAYS}
            rows = read_table(folder)
        except (OSError, ValueError, EOFError) as error:
            raise DatasetError(
                f"'{folder}' is not a dataset ({error}); make one with: dvf convert BAGS {folder}"
            ) from error
        for name, row in _rows_of(spec).items():
            found = arrays[name].shape
            if not found:
                raise DatasetError(
                    f"'{folder}/{name}.npy': expected a row a frame, found a single number; convert anew"
                )
            if found[1:] != row:
                raise DatasetError(
                    f"'{folder}': spec and arrays do not belong together: expected {name} of {math.prod(row)} numbers"
                    f" (spec.yaml), found {found[1:]} ({name}.npy); convert anew with the spec as it is now"
                )
        lengths = {name: len(array) for name, array in arrays.items()}
        total = sum(rows["length"].to_pylist())
        if set(lengths.values()) != {total}:
            raise DatasetError(f"'{folder}': expected {total} frames (episodes.parquet), found {lengths}")
        return cls(spec=spec, **arrays, **columns_of(rows))

    def frames_of(self, episode: int) -> slice:
        """The frames of one episode, as a slice."""
        start = int(self.episode_start[episode])
        return slice(start, start + int(self.episode_length[episode]))

    def episode(self, index: int) -> Episode:
        """One episode; its arrays are views, not copies."""
        frames = self.frames_of(index)
        success = float(self.success[index])
        return Episode(
            **{name: getattr(self, name)[frames] for name in ARRAYS},
            behavior=self.behavior_names[self.behavior[index]],
            success=None if np.isnan(success) else bool(success),
            terminated=bool(self.terminated[index]),
            truncated=bool(self.truncated[index]),
            source=self.source[index],
            source_digest=self.source_digest[index],
            quality=self.quality[index],
        )


class DatasetWriter:
    """Appends episodes to a dataset folder, one at a time, in memory of one episode (and a row for each).

    Arrays are written to `.part` files and take their names in `close`, so that a folder never holds half a dataset.
    """

    def __init__(self, folder: str | Path, spec: RobotSpec) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._spec = spec
        self._tables: list[pa.Table] = []
        self._rows: list[dict] = []
        rows = _rows_of(spec)
        self._arrays = {name: ArrayFile(self.folder, name, dtype, rows[name]) for name, dtype in ARRAYS.items()}

    def append(self, episode: Episode) -> None:
        """Add one episode at the end."""
        self._append(f"episode of '{episode.source}'", {name: getattr(episode, name) for name in ARRAYS})
        self._rows.append(_row(episode))

    def abandon(self) -> None:
        """Leave no dataset behind."""
        for array in self._arrays.values():
            array.abandon()

    def extend(self, folder: Path, **labels: str) -> None:
        """Add all episodes of another dataset of the same spec; `labels` (source, behavior, …) replace its columns."""
        self._append(f"'{folder}'", {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in ARRAYS})
        self._rows += [row | labels for row in read_table(folder).to_pylist()]
        self._pack()

    def close(self) -> None:
        """Finish the folder; raises DatasetError (and leaves no dataset) if no episode was appended."""
        self._pack()
        if not self._tables:
            self.abandon()
            raise DatasetError(f"'{self.folder}': no episode could be used, so there is no dataset")
        for array in self._arrays.values():
            array.close()
        (self.folder / "spec.yaml").write_text(self._spec.text, encoding="utf-8")
        write_table(pa.concat_tables(self._tables), self.folder)

    def _append(self, what: str, arrays: dict[str, np.ndarray]) -> None:
        for name, array in arrays.items():
            try:
                self._arrays[name].append(array)
            except ValueError as error:
                raise DatasetError(f"{what}, {name}: {error}") from error

    def _pack(self) -> None:
        if self._rows:
            self._tables.append(make_table(self._rows))
        self._rows = []


def _rows_of(spec: RobotSpec) -> dict[str, tuple[int, ...]]:
    """The shape of a frame's row in each array."""
    return {name: () for name in ARRAYS} | {"states": (spec.state_size,), "actions": (spec.action_size,)}


def about_episode(episode: Episode) -> dict:
    """All that a table of episodes says about one: its length and what is no array."""
    return {
        "length": len(episode.states),
        "behavior": episode.behavior,
        "success": episode.success,
        "terminated": episode.terminated,
        "truncated": episode.truncated,
        "source": episode.source,
        "source_digest": episode.source_digest,
        "quality": episode.quality,
    }


def _row(episode: Episode) -> dict:
    return about_episode(episode) | {"quality": json.dumps(episode.quality)}
