"""Read a LeRobotDataset v3.0 with pyarrow alone: this package's own without loss, others' as far as they say.

Other people's data holds no masks: every action is taken as known but an episode's last, whose next state is not
there (its reward neither). `next.done` does not tell a true end from a time-out, so their episodes count as cut off.
The behavior is the episode's task; cameras are left out, as is what is neither state, action nor outcome by its name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dvf_ros.core.spec import RobotSpec
from dvf_ros.data.dataset import Episode
from dvf_ros.data.exchange import ExchangeError, about_from, check_names, check_rate, draft_spec, masked_episode

STATES = ("observation.state", "observation.environment_state")
ABOUT = ("behavior", "success", "terminated", "truncated", "source", "source_digest", "quality")
OURS = {"action_mask": "action_mask", "reward_mask": "reward_mask", "stamp": "stamps"}
USED = (*STATES, "action", "next.reward", "next.success", *OURS)
BOOKKEEPING = ("timestamp", "frame_index", "episode_index", "index", "task_index", "next.done")
NUMBERS = re.compile(r"(float|u?int)\d+|bool")
BATCH = 1 << 14


def read_lerobot(folder: str | Path, spec: RobotSpec | None = None) -> tuple[RobotSpec, Iterator[Episode]]:
    """The spec and the episodes of a LeRobotDataset, one in memory at a time.

    `spec`: None takes the one that `dvf export` left there, or drafts one. Raises ExchangeError for another version,
    missing features, or a spec whose numbers or rate are not the data's.
    """
    folder = Path(folder)
    info = _info(folder)
    features = {name: about for name, about in info["features"].items() if about["dtype"] not in ("video", "image")}
    if STATES[0] not in features:
        raise ExchangeError(f"'{folder}': expected the feature '{STATES[0]}', found {', '.join(features) or 'none'}")
    state = {name: _names(features[name]) for name in STATES if name in features}
    action = {"action": _names(features["action"])} if "action" in features else {}
    own = folder / "meta" / "spec.yaml"
    if spec is None and own.exists():
        spec = RobotSpec.load(own)
    spec = spec or draft_spec(info.get("robot_type") or "robot", float(info["fps"]), state, action)
    check_rate(f"'{folder}'", float(info["fps"]), spec)
    check_names(
        f"'{folder}', {' and '.join(state)}", [name for names in state.values() for name in names], spec.state_names
    )
    if action:
        check_names(f"'{folder}', action", action["action"], spec.action_names)
    return spec, _episodes(folder, features, list(state), spec)


def left_out(folder: str | Path) -> dict[str, str]:
    """Why, by name, of the features that `read_lerobot` makes nothing of."""
    features = _info(Path(folder))["features"]
    return {
        name: "neither state, action nor outcome by its name" if NUMBERS.fullmatch(about["dtype"]) else "not numbers"
        for name, about in features.items()
        if name not in (*USED, *BOOKKEEPING)
    }


def _info(folder: Path) -> dict[str, Any]:
    path = folder / "meta" / "info.json"
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
        version, _ = str(info["codebase_version"]), (info["features"], info["fps"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ExchangeError(f"'{folder}' is no LeRobotDataset: {path} cannot be used ({error})") from error
    if not version.startswith("v3."):
        raise ExchangeError(
            f"'{folder}': expected LeRobotDataset v3.0, found {version}; LeRobot's convert_dataset_v21_to_v30 brings it"
            " up to date"
        )
    rate, features = info["fps"], info["features"]
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not rate > 0:
        raise ExchangeError(f"'{path}', fps: expected frames a second, a number above zero, found {rate!r}; correct it")
    if not isinstance(features, dict):
        raise ExchangeError(f"'{path}', features: expected a mapping by name, found {features!r}; correct it")
    for name, about in features.items():
        shape = about.get("shape") if isinstance(about, dict) else None
        if not isinstance(shape, list) or not {*map(type, shape)} <= {int} or not isinstance(about.get("dtype"), str):
            raise ExchangeError(f"'{path}', feature '{name}': expected its dtype and shape, found {about!r}; add them")
    return info


def _names(feature: dict[str, Any]) -> list[str]:
    """A name for each number of a feature; LeRobot has them as a list, or a list in a mapping, or not at all."""
    size = int(np.prod(feature["shape"]))
    names = feature.get("names")
    if isinstance(names, dict):
        names = next(iter(names.values()), None)
    return [str(name) for name in names] if isinstance(names, list) and len(names) == size else [""] * size


def _episodes(folder: Path, features: dict, states: list[str], spec: RobotSpec) -> Iterator[Episode]:
    about = _about(folder)
    wanted = [name for name in USED if name in features]
    for index, columns in _by_episode(folder, wanted):
        if index not in about:
            raise ExchangeError(f"'{folder}': episode {index} is in data/ and not in meta/episodes")
        label = about[index]
        success = bool(columns["next.success"].any()) if "next.success" in columns else None
        yield masked_episode(
            spec,
            np.concatenate([columns[name].reshape(len(columns[name]), -1) for name in states], axis=1),
            columns["action"].reshape(len(columns["action"]), -1) if "action" in columns else None,
            columns.get("next.reward"),
            {ours: columns[theirs] for theirs, ours in OURS.items() if theirs in columns},
            label if "terminated" in label else label | {"success": success},
        )


def _about(folder: Path) -> dict[int, dict[str, Any]]:
    """An Episode's arguments by episode, as far as meta/episodes has them."""
    found: dict[int, dict[str, Any]] = {}
    for path in sorted((folder / "meta" / "episodes").glob("*/*.parquet")):
        try:
            have = pq.read_schema(path).names
            own = set(ABOUT) <= set(have)
            wanted = ["episode_index", *(ABOUT if own else ["tasks"])]
            rows = pq.read_table(path, columns=[name for name in wanted if name in have]).to_pylist()
        except (pa.ArrowException, OSError) as error:
            raise ExchangeError(f"'{path}' cannot be read: {error}; download it anew") from error
        for row in rows:
            index, tasks = row.get("episode_index"), row.get("tasks")
            if index is None or not (own or (isinstance(tasks, list) and {*map(type, tasks)} <= {str})):
                raise ExchangeError(
                    f"'{path}': expected an episode_index and tasks (a list of texts) in every row, found {row}; write"
                    " them as LeRobot does"
                )
            if own:
                found[index] = about_from({name: row[name] for name in ABOUT})
            else:
                found[index] = {"behavior": " | ".join(tasks), "source": f"{folder.name}/{index}"}
    return found


def _by_episode(folder: Path, wanted: list[str]) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    """(episode, its columns) in order; raises ExchangeError where frames are missing or out of order."""
    held: list[dict[str, np.ndarray]] = []
    current = -1
    columns = list(dict.fromkeys(["episode_index", "frame_index", *wanted]))
    for batch in _batches(folder, columns):
        index = batch["episode_index"]
        cuts = [0, *(np.flatnonzero(np.diff(index)) + 1).tolist(), len(index)]
        for start, stop in pairwise(cuts):
            if index[start] != current:
                if held:
                    yield current, _joined(folder, current, held)
                if index[start] <= current:
                    raise ExchangeError(f"'{folder}': episode {index[start]} comes after episode {current}")
                current, held = int(index[start]), []
            held.append({name: values[start:stop] for name, values in batch.items()})
    if not held:
        raise ExchangeError(f"'{folder}': data/ holds no frames")
    yield current, _joined(folder, current, held)


def _joined(folder: Path, index: int, parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    if not np.array_equal(whole["frame_index"], np.arange(len(whole["frame_index"]))):
        raise ExchangeError(f"'{folder}': the frames of episode {index} are not 0, 1, 2, …")
    return whole


def _batches(folder: Path, columns: list[str]) -> Iterator[dict[str, np.ndarray]]:
    for path in sorted((folder / "data").glob("*/*.parquet")):
        try:
            with pq.ParquetFile(path) as file:
                missing = [name for name in columns if name not in file.schema_arrow.names]
                if missing:
                    raise ExchangeError(f"'{path}': expected the columns {missing}, found {file.schema_arrow.names}")
                # One group after the other: over all of them, pyarrow holds the whole file.
                for group in range(file.num_row_groups):
                    for batch in file.iter_batches(BATCH, row_groups=[group], columns=columns):
                        yield {name: _numbers(path, name, batch.column(name)) for name in columns}
        except (pa.ArrowException, OSError) as error:
            raise ExchangeError(f"'{path}' cannot be read: {error}") from error


def _numbers(path: Path, name: str, column: pa.Array) -> np.ndarray:
    """(n,), or (n, size) for lists; raises ExchangeError for lists of several lengths and what is no number."""
    levels = [column]
    while pa.types.is_list(levels[-1].type) or pa.types.is_fixed_size_list(levels[-1].type):
        levels.append(levels[-1].flatten())
    if any(level.null_count for level in levels):
        raise ExchangeError(f"'{path}': '{name}' has rows without a value")
    for level in levels[:-1]:
        lengths = np.unique(level.value_lengths().to_numpy(zero_copy_only=False)).tolist()
        if len(lengths) > 1:
            raise ExchangeError(f"'{path}', '{name}': expected lists of one length, found {lengths}; cut or fill them")
    flat = levels[-1]
    if not any(test(flat.type) for test in (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean)):
        raise ExchangeError(f"'{path}', '{name}': expected numbers, found {column.type}; leave the feature out")
    numbers = flat.to_numpy(zero_copy_only=False)
    return numbers if len(numbers) == len(column) else numbers.reshape(len(column), -1)
