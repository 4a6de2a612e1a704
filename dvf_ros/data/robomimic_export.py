"""A dataset as a robomimic HDF5 file.

Layout (docs of robomimic, "Dataset Contents and Structure"); N = L - 1 transitions of an episode of L frames:

    data                    attributes total, env_args, spec
    data/demo_i             attributes num_samples, and what this package knows of the episode
        obs/FIELD           (N, size) float32, one a field of the spec's state
        next_obs/FIELD      (N, size)
        actions             (N, A) float32
        rewards             (N,) float32, on arrival in next_obs
        dones               (N,) int64, 1 where next_obs is a true end
        action_mask, reward_mask (N,) bool; stamps (N + 1,) int64 ns
    mask/KEY                names of demos: success, failure, behavior_NAME
"""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np

from dvf_ros.core.spec import FieldSlice, RobotSpec
from dvf_ros.data.dataset import Dataset, Episode, about_episode
from dvf_ros.data.exchange import ExchangeError, columns_of


def export_robomimic(dataset: Dataset, path: str | Path) -> int:
    """Write `dataset` as a new file, one episode in memory; returns how many single-frame episodes were left out.

    An episode of one frame has no transition, and this format holds nothing else. Raises ExchangeError where the file
    is there already or no episode has a transition.
    """
    path = Path(path)
    if path.exists():
        raise ExchangeError(f"'{path}' is there already; export to a new file")
    chosen = np.flatnonzero(dataset.episode_length > 1)
    if not len(chosen):
        raise ExchangeError("no episode has a transition: each is of one frame, which robomimic cannot hold")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    masks: dict[str, list[str]] = {}
    try:
        with h5py.File(part, "w") as file:
            data = file.create_group("data")
            for number, index in enumerate(chosen):
                episode = dataset.episode(int(index))
                _write(data.create_group(f"demo_{number}"), episode, dataset.spec.state_layout)
                for key in _filter_keys(episode):
                    masks.setdefault(key, []).append(f"demo_{number}")
            data.attrs["total"] = int(dataset.episode_length[chosen].sum() - len(chosen))
            data.attrs["env_args"] = json.dumps(_environment(dataset.spec))
            data.attrs["spec"] = dataset.spec.text
            for key, names in masks.items():
                file.create_dataset(f"mask/{key}", data=np.array(names, dtype="S"))
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    part.replace(path)
    return dataset.episodes - len(chosen)


def _write(group: h5py.Group, episode: Episode, layout: tuple[FieldSlice, ...]) -> None:
    for piece in layout:
        values = episode.states[:, piece.start : piece.stop]
        group.create_dataset(f"obs/{piece.name}", data=values[:-1])
        group.create_dataset(f"next_obs/{piece.name}", data=values[1:])
    done = np.zeros(len(episode.states) - 1, np.int64)
    done[-1] = episode.terminated
    group.create_dataset("dones", data=done)
    for name in ("actions", "rewards", "action_mask", "reward_mask"):
        group.create_dataset(name, data=getattr(episode, name)[:-1])
    group.create_dataset("stamps", data=episode.stamps)
    group.attrs["num_samples"] = len(done)
    for name, value in columns_of(about_episode(episode)).items():
        if value is not None:  # HDF5 has no null
            group.attrs[name] = value


def _filter_keys(episode: Episode) -> list[str]:
    keys = [f"behavior_{episode.behavior.replace('/', '_')}"] if episode.behavior else []
    return keys if episode.success is None else [*keys, "success" if episode.success else "failure"]


def _environment(spec: RobotSpec) -> dict:
    """What robomimic asks of a file. It names no environment that it could build: train without rollouts."""
    gym_type = 2
    return {"env_name": spec.task, "type": gym_type, "env_kwargs": {"control_freq": spec.rate}}
