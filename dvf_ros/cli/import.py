"""`dvf import`: another project's data becomes a dataset."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import h5py
import numpy as np
import tyro

from dvf_ros.cli.console import Console
from dvf_ros.core.spec import RobotSpec
from dvf_ros.data.dataset import Dataset
from dvf_ros.data.exchange import UNPLACED, ExchangeError, new_folder, write_imported
from dvf_ros.data.lerobot_import import left_out, read_lerobot
from dvf_ros.data.robomimic_import import read_robomimic


@dataclass(frozen=True)
class Import:
    """Make a dataset of a LeRobotDataset v3.0 (folder) or a robomimic file (HDF5); which one is seen from the source.

    The data needs no ROS behind it: without a spec one is drafted from its names, good for training.
    """

    source: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="SOURCE")]
    """Folder with meta/info.json, or HDF5 file."""
    dataset: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DATASET")]
    """New dataset folder."""
    spec: Path | None = None
    """Robot spec; by default the one that `dvf export` left in the source, or a draft."""


def main(args: Import) -> int:
    """Import, and say what came; returns the exit status."""
    spec = RobotSpec.load(args.spec) if args.spec else None
    passed_over: dict[str, str] = {}
    if (args.source / "meta" / "info.json").exists():
        spec, episodes = read_lerobot(args.source, spec)
        passed_over = left_out(args.source)
    elif args.source.is_file() and h5py.is_hdf5(args.source):
        spec, episodes = read_robomimic(args.source, spec)
    else:
        raise ExchangeError(
            f"'{args.source}': expected a LeRobotDataset (a folder with meta/info.json) or a robomimic HDF5 file; bags"
            " are for: dvf convert"
        )
    with new_folder(args.dataset) as folder:
        count, frames = write_imported(folder, spec, episodes)
    console = Console()
    numbers = f"{spec.state_size} state and {spec.action_size} action numbers at {spec.rate:g} Hz"
    console.print(f"{count} episodes, {frames} frames, {numbers}: '{args.dataset}'", markup=False)
    dataset = Dataset.open(args.dataset)
    steps = max(frames - count, 1)
    console.print(
        f"actions known in {dataset.action_mask.sum() / steps:.0%} of the steps, rewards in"
        f" {dataset.reward_mask.sum() / steps:.0%}, success of {int(np.isfinite(dataset.success).sum())} episodes"
    )
    if passed_over:
        words = ", ".join(f"{name} ({why})" for name, why in passed_over.items())
        console.print(f"left out: {words}", markup=False, highlight=False)
    unplaced = sum(UNPLACED in quality for quality in dataset.quality)
    if unplaced:
        console.print(
            f"left out: the last reward of {unplaced} episodes, which is not zero but belongs to a state after the last"
            " frame that the data does not hold"
        )
    return 0
