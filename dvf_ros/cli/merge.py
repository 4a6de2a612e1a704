"""`dvf merge`: the shards of a conversion become one dataset."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from dvf_ros.cli.console import Console
from dvf_ros.cli.convert import summarize
from dvf_ros.data.bag_search import ConversionError
from dvf_ros.data.sharding import merge


@dataclass(frozen=True)
class Merge:
    """Make of all shards the dataset that one machine would have made of all bags, byte for byte."""

    paths: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="SHARD [SHARD ...] DATASET")]
    """The folders that `dvf convert --shard` wrote; last, the folder of the dataset."""


def main(args: Merge) -> int:
    """Merge, and print what became of the bags; returns the exit status."""
    if len(args.paths) < 2:
        raise ConversionError(f"expected shards and then the folder of the dataset, found {len(args.paths)} path(s)")
    *shards, dataset = args.paths
    report = merge(shards, dataset)
    summarize(report, dataset, Console())
    return 1 if report.broken else 0
