"""Read a robomimic HDF5 file: this package's own export without loss, anybody else's as far as it says.

With next_obs an episode of N transitions has N + 1 frames; without, N, and its last action and reward are masked: the
state that they led to is not there. `dones` may mean success, the end of a demonstration or both, so other people's
episodes count as cut off. Their behavior and success are not said; images are passed over.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from dvf_ros.core.parsing import nearest
from dvf_ros.core.spec import RobotSpec
from dvf_ros.data.dataset import Episode
from dvf_ros.data.exchange import ExchangeError, about_from, check_rate, draft_spec, masked_episode

ABOUT = ("behavior", "success", "terminated", "truncated", "source", "source_digest", "quality")
MASKS = ("action_mask", "reward_mask")
LONGEST = 80  # characters of a file that an error shows


def read_robomimic(path: str | Path, spec: RobotSpec | None = None) -> tuple[RobotSpec, Iterator[Episode]]:
    """The spec and the episodes of a robomimic file, one in memory at a time.

    `spec`: its state fields are looked up among the observations by name; None takes the one that `dvf export` left
    there, or drafts one. Raises ExchangeError for a file of another kind, or a spec that does not fit.
    """
    path = Path(path)
    try:
        with h5py.File(path, "r") as file:
            demos = _demos(path, file)
            data = file["data"]
            first = data[demos[0]]
            rate = _rate(data)
            if spec is None and "spec" in data.attrs:
                spec = RobotSpec.parse(data.attrs["spec"], f"spec of '{path}'")
            spec = spec or _draft(path, data, first, rate)
    except OSError as error:
        raise ExchangeError(f"'{path}' is no HDF5 file that can be read: {error}") from error
    if rate is not None:
        check_rate(f"'{path}'", rate, spec)
    return spec, _episodes(path, demos, spec)


def _demos(path: Path, file: h5py.File) -> list[str]:
    data = file.get("data")
    names = (
        [name for name in data if data.get(name, getclass=True) is h5py.Group] if isinstance(data, h5py.Group) else []
    )
    numbers = [int(found[1]) for name in names if (found := re.fullmatch(r"demo_(\d+)", name))]
    if not numbers:
        raise ExchangeError(f"'{path}': expected data/demo_0, …, found {', '.join(file) or 'nothing'}")
    return [f"demo_{number}" for number in sorted(numbers)]


def _environment(data: h5py.Group) -> dict[str, Any]:
    """What the file says of the environment that it was recorded in; empty where that is no JSON object."""
    try:
        found = json.loads(data.attrs.get("env_args", "{}"))
    except (ValueError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


def _rate(data: h5py.Group) -> float | None:
    """Hz; robosuite's environments say it, others do not."""
    try:
        return float(_environment(data)["env_kwargs"]["control_freq"])
    except (KeyError, TypeError, ValueError):
        return None


def _draft(path: Path, data: h5py.Group, demo: h5py.Group, rate: float | None) -> RobotSpec:
    if rate is None:
        found = str(data.attrs.get("env_args", "no env_args"))[:LONGEST]
        raise ExchangeError(
            f"'{path}' does not say its rate (expected env_args: env_kwargs: control_freq in Hz, found {found}); give a"
            " --spec"
        )
    state = {key: [""] * _width(values) for key, values in _observations(path, demo).items()}
    name = str(_environment(data).get("env_name") or "robot")
    action = {"action": [""] * _width(demo["actions"])} if isinstance(demo.get("actions"), h5py.Dataset) else {}
    return draft_spec(name, rate, state, action)


def _observations(path: Path, demo: h5py.Group) -> dict[str, h5py.Dataset]:
    """The observations that are numbers, not images."""
    group = demo.get("obs")
    items = group.items() if isinstance(group, h5py.Group) else ()
    found = {key: values for key, values in items if getattr(values, "ndim", 3) <= 2}
    if not found:
        raise ExchangeError(f"'{path}', {demo.name}: expected low-dimensional observations in obs/, found none")
    return found


def _width(values: h5py.Dataset | np.ndarray) -> int:
    return values.shape[1] if values.ndim == 2 else 1


def _episodes(path: Path, demos: list[str], spec: RobotSpec) -> Iterator[Episode]:
    with h5py.File(path, "r") as file:
        for demo in demos:
            yield _episode(path, file["data"][demo], spec)


def _episode(path: Path, demo: h5py.Group, spec: RobotSpec) -> Episode:
    where = f"'{path}', {demo.name}"
    states = _states(where, path, demo, "obs", spec)
    steps = len(states)
    if "next_obs" in demo:
        after = _states(where, path, demo, "next_obs", spec)
        if not np.array_equal(states[1:], after[:-1]):
            raise ExchangeError(f"{where}: next_obs is not the obs of the step after; the steps are no trajectory")
        states = np.concatenate([states, after[-1:]])
    frames = len(states)
    columns = {}
    for name in ("actions", "rewards", *MASKS):
        if name in demo:
            values = _numbers(where, demo, name)
            if len(values) != steps:
                raise ExchangeError(f"{where}: expected {steps} {name}, one an observation, found {len(values)}")
            end = np.zeros((frames - steps, *values.shape[1:]), values.dtype)
            columns[name] = np.concatenate([values, end])
    masks: dict[str, np.ndarray] = {name: columns[name].astype(bool) for name in MASKS if name in columns}
    if "stamps" in demo:
        masks["stamps"] = _numbers(where, demo, "stamps")
    actions = columns.get("actions")
    if actions is not None:
        actions = actions.reshape(frames, -1)
        if actions.shape[1] != spec.action_size:
            raise ExchangeError(
                f"{where}: expected the spec's {spec.action_size} action numbers, found {actions.shape[1]}"
            )
    return masked_episode(spec, states, actions, columns.get("rewards"), masks, _about(path, demo))


def _states(where: str, path: Path, demo: h5py.Group, kind: str, spec: RobotSpec) -> np.ndarray:
    """(N, D) in the spec's order."""
    known = _observations(path, demo)
    parts = []
    for piece in spec.state_layout:
        if piece.name not in known or f"{kind}/{piece.name}" not in demo:
            raise ExchangeError(f"{where}: no {kind}/{piece.name}, a state field; {nearest(piece.name, known)}")
        values = _numbers(where, demo, f"{kind}/{piece.name}")
        if _width(values) != piece.stop - piece.start:
            raise ExchangeError(
                f"{where}: expected {kind}/{piece.name} of {piece.stop - piece.start} numbers, found {_width(values)}"
            )
        parts.append(values.reshape(len(values), _width(values)))
    lengths = [len(part) for part in parts]
    if len(set(lengths)) > 1 or not lengths[0]:
        raise ExchangeError(f"{where}: expected rows in {kind}, as many in every field, found {lengths}; leave it out")
    return np.concatenate(parts, axis=1).astype(np.float32)


def _numbers(where: str, demo: h5py.Group, name: str) -> np.ndarray:
    """An array of a demonstration; raises ExchangeError for texts and whatever else is no array of numbers."""
    values = demo[name]
    if not isinstance(values, h5py.Dataset) or values.dtype.kind not in "biuf" or not values.ndim:
        found = f"an array of {values.dtype}" if isinstance(values, h5py.Dataset) else "a group"
        raise ExchangeError(
            f"{where}: expected rows of numbers in {name}, found {found}; leave it out, or give a --spec"
        )
    return values[:]


def _about(path: Path, demo: h5py.Group) -> dict[str, Any]:
    if not {"terminated", "truncated", "quality"} <= set(demo.attrs):
        return {"source": f"{path.name}/{demo.name.rpartition('/')[2]}"}
    about = {name: demo.attrs.get(name) for name in ABOUT}
    flags = {
        name: None if about[name] is None else bool(about[name]) for name in ("success", "terminated", "truncated")
    }
    return about_from(about | flags)
