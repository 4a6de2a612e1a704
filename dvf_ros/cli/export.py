"""`dvf export`: a dataset in another project's format."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.progress import Progress

from dvf_ros.cli.console import Console
from dvf_ros.data.bag_export import export_bags
from dvf_ros.data.dataset import Dataset
from dvf_ros.data.definitions import read_definitions
from dvf_ros.data.lerobot_export import export_lerobot
from dvf_ros.data.robomimic_export import export_robomimic


@dataclass(frozen=True)
class Export:
    """Write a dataset as a LeRobotDataset v3.0, a robomimic file, or MCAP bags (one an episode) for Foxglove.

    `dvf import` and, for bags, `dvf convert` give the same frames back.
    """

    dataset: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DATASET")]
    """Dataset folder."""
    target: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="TARGET")]
    """New folder (lerobot, mcap) or new .hdf5 file (robomimic)."""
    format: Literal["lerobot", "robomimic", "mcap"]
    """Whose format."""
    msg_path: Path | None = None
    """mcap only: folder with the .msg files of types that are none of ROS 2 Jazzy's common ones."""


def main(args: Export) -> int:
    """Export, and say what could not be taken along; returns the exit status."""
    console = Console()
    dataset = Dataset.open(args.dataset)
    if args.format == "lerobot":
        export_lerobot(dataset, args.target)
        left_out: tuple[str, ...] = ()
    elif args.format == "robomimic":
        single = export_robomimic(dataset, args.target)
        left_out = (f"{single} episodes of a single frame",) if single else ()
    else:
        definitions = read_definitions(args.msg_path) if args.msg_path else {}
        with Progress(console=console, transient=True) as bar:
            task = bar.add_task("writing bags", total=dataset.episodes)
            left_out = export_bags(dataset, args.target, definitions, lambda done, _: bar.update(task, completed=done))
    console.print(f"{dataset.episodes} episodes, {dataset.frames} frames: '{args.target}'", markup=False)
    if left_out:
        console.print(f"left out, because the format or the spec has no place for it: {', '.join(left_out)}")
    return 0
