"""What all foreign formats share: their errors, a spec for data that never saw ROS, and writing what was read."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from dvf_ros.core.spec import RobotSpec
from dvf_ros.data.dataset import ARRAYS, DatasetWriter, Episode

# Stamps of data that has none start here: a stamp of zero means "not set" to ROS tools.
FIRST_STAMP_NS = 1_000_000_000
UNPLACED = "unplaced_reward"  # quality of an episode whose last reward belongs to a state that the data lacks


class ExchangeError(ValueError):
    """A foreign file or folder does not hold what its format says, or does not fit the spec; it names the place."""


def draft_spec(
    robot: str, rate: float, state: Mapping[str, Sequence[str]], action: Mapping[str, Sequence[str]]
) -> RobotSpec:
    """A spec for data that never saw ROS: each array becomes a Float64MultiArray topic of the array's name.

    `state` and `action` hold the names of each array's numbers; where they are distinct words each is a field of its
    own, so that rewards can name it.
    """
    spec: dict[str, Any] = {"robot": robot, "task": "task", "rate": rate}
    for part, arrays in (("state", state), ("action", action)):
        seen: set[str] = set()
        spec[part] = []
        # What sends a stop must be said; holding is the least.
        stop = {"stop_mode": "hold"} if part == "action" else {}
        for array, names in arrays.items():
            topic = re.sub(r"\W+", "_", array)
            names = [array] if list(names) == [""] else names
            fields: list[dict[str, Any]] = [{"name": name, "path": f"data[{i}]"} | stop for i, name in enumerate(names)]
            if len(set(names)) != len(names) or seen & set(names) or not all(names):
                fields = [{"name": array, "kind": "array", "path": "data", "size": len(names)} | stop]
            seen |= {item["name"] for item in fields}
            spec[part].append(
                {"topic": topic, "type": "std_msgs/msg/Float64MultiArray", "stamp": "receive", "fields": fields}
            )
    outcome = [{"name": name, "path": name} for name in ("reward", "terminated")]
    spec["outcome"] = {"topic": "outcome", "type": "dvf_ros/msg/Outcome", "fields": outcome}
    text = (
        "# Drafted on import: the data named no topics, units or limits. Write a spec of your own to control a robot.\n"
    )
    text += yaml.safe_dump(spec, sort_keys=False, default_flow_style=None, width=110)
    return RobotSpec.parse(text, f"spec drafted for '{robot}'")


def check_names(where: str, found: Sequence[str], expected: Sequence[str]) -> None:
    """Refuse numbers that are not the spec's: another count, or the same names in another order."""
    if len(found) != len(expected):
        raise ExchangeError(f"{where}: expected the spec's {len(expected)} numbers, found {len(found)}: {list(found)}")
    if sorted(found) == sorted(expected) and list(found) != list(expected):
        raise ExchangeError(
            f"{where}: the numbers come in another order than the spec's; expected {list(expected)}, found"
            f" {list(found)}; reorder the spec's fields"
        )


def check_rate(where: str, found: float, spec: RobotSpec) -> None:
    """Refuse frames that are not the spec's period apart."""
    if abs(found - spec.rate) > 1e-6 * spec.rate:
        raise ExchangeError(f"{where}: expected frames at the spec's {spec.rate:g} Hz, found {found:g} Hz")


def masked_episode(
    spec: RobotSpec,
    states: np.ndarray,
    actions: np.ndarray | None,
    rewards: np.ndarray | None,
    masks: Mapping[str, np.ndarray],
    about: Mapping[str, Any],
) -> Episode:
    """An episode from foreign arrays, with masks where they are given and otherwise where the numbers allow.

    `states` (L, D); `actions` (L, A) and `rewards` (L,) or (L, 1), or None where there are none. The last frame's
    action and reward lead to a state that is not there, so they are masked; masked numbers are zero. `masks` may hold
    action_mask, reward_mask and stamps (ns), of a reward's shapes. An episode of which `about` says no quality gets
    its coverage, and the last reward where it was masked though it is not zero. Raises ExchangeError for a state that
    is not finite, and for rewards or masks that are not one a frame.
    """
    length, where = len(states), f"'{about['source']}'"
    bad = ~np.isfinite(states).all(axis=1)
    if bad.any():
        raise ExchangeError(f"{where}: the state of frame {int(np.argmax(bad))} holds NaN or Inf")
    inner = np.arange(length) < length - 1
    acts = np.zeros((length, spec.action_size), np.float32) if actions is None else np.asarray(actions, np.float32)
    gains = np.zeros(length, np.float32) if rewards is None else np.asarray(rewards, np.float32)
    gains = _one_each(where, "rewards", gains, length)
    masks = {name: _one_each(where, name, mask, length) for name, mask in masks.items()}
    told = actions is not None or not spec.action_size  # of a robot that is only watched all is known
    known_action = inner & np.isfinite(acts).all(axis=1) & masks.get("action_mask", inner & told)
    known_reward = inner & np.isfinite(gains) & masks.get("reward_mask", inner & (rewards is not None))
    steps = max(length - 1, 1)
    coverage = {"action_coverage": known_action.sum() / steps, "reward_coverage": known_reward.sum() / steps}
    if gains[-1] and np.isfinite(gains[-1]):
        coverage[UNPLACED] = gains[-1]
    quality: dict[str, Any] = {"quality": {name: float(value) for name, value in coverage.items()}}
    stamps = masks.get("stamps", FIRST_STAMP_NS + np.arange(length, dtype=np.int64) * spec.period_ns)
    return Episode(
        states=np.asarray(states, np.float32),
        actions=np.where(known_action[:, None], acts, np.float32(0)),
        action_mask=known_action,
        rewards=np.where(known_reward, gains, np.float32(0)),
        reward_mask=known_reward,
        stamps=stamps,
        **(quality | dict(about)),
    )


def _one_each(where: str, name: str, values: np.ndarray, length: int) -> np.ndarray:
    """(L,) from (L,) or (L, 1), for `length` L; raises ExchangeError for any other shape."""
    if values.shape not in ((length,), (length, 1)):
        raise ExchangeError(f"{where}: expected {length} {name}, one a frame, found {values.shape}")
    return values.reshape(length)


def write_imported(folder: str | Path, spec: RobotSpec, episodes: Iterator[Episode]) -> tuple[int, int]:
    """Write episodes, one in memory at a time, as a dataset; returns how many episodes and frames.

    An episode that says no digest gets that of its own numbers. Where reading fails half-way no dataset is left.
    """
    writer = DatasetWriter(folder, spec)
    count = frames = 0
    try:
        for episode in episodes:
            writer.append(episode if episode.source_digest else replace(episode, source_digest=_digest(episode)))
            count, frames = count + 1, frames + len(episode.states)
    except BaseException:
        writer.abandon()
        raise
    writer.close()
    return count, frames


def _digest(episode: Episode) -> str:
    content = hashlib.sha256()
    for name in ARRAYS:
        content.update(np.ascontiguousarray(getattr(episode, name)).tobytes())
    return content.hexdigest()


def columns_of(about: Mapping[str, Any]) -> dict[str, Any]:
    """What a table says about an episode, as its numbers' companion: `about_episode` with `quality` as JSON."""
    return {name: value for name, value in about.items() if name != "length"} | {
        "quality": json.dumps(about["quality"])
    }


def about_from(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Back from `columns_of` to an Episode's arguments."""
    return dict(columns) | {"quality": json.loads(columns["quality"])}


@contextlib.contextmanager
def new_folder(folder: str | Path) -> Iterator[Path]:
    """A folder to write into, gone again where writing fails; raises ExchangeError where something is there already."""
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ExchangeError(f"'{folder}' is not empty; name a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
