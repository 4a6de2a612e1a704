"""`dvf salvage`: a bag that was cut off becomes a whole one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.markup import escape

from dvf_ros.cli.console import Console
from dvf_ros.data.bag_repair import repair_bag


@dataclass(frozen=True)
class Salvage:
    """Rewrite a bag that was cut off or damaged as a whole one, with index and metadata.yaml; the original stays."""

    bag: Annotated[Path, tyro.conf.Positional]
    """A bag: folder with .mcap files, or one .mcap."""
    output: Path | None = None
    """Folder of the new bag; by default the old one's name with `_salvaged`, beside it."""


def main(args: Salvage) -> int:
    """Rewrite, and say what was kept and what was lost."""
    console = Console(soft_wrap=True)
    repair = repair_bag(args.bag, args.output)
    if repair is None:
        console.print(f"'{escape(str(args.bag))}' is whole: nothing to do")
        return 0
    console.print(f"'{escape(str(repair.output))}': {sum(repair.messages.values())} messages in {repair.seconds:.2f} s")
    for topic, count in repair.messages.items():
        console.print(f"  {escape(topic)}: {count}")
    console.print(f"lost: {escape(repair.lost)}")
    return 0
