"""`dvf spec`: a robot spec proposed from a bag, ready to edit."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from dvf_ros.cli.inspect import one_bag
from dvf_ros.data.bag_storage import BagError
from dvf_ros.data.definitions import read_definitions
from dvf_ros.data.inspection import inspect_bag
from dvf_ros.data.spec_draft import draft_spec


@dataclass(frozen=True)
class Spec:
    """Propose a robot spec from what a bag holds. The comments in it say why, and what to check."""

    bag: Annotated[Path, tyro.conf.Positional]
    """A bag: folder, .mcap, .db3 or .zstd of one."""
    output: Path | None = None
    """File for the spec (YAML); by default it is printed. A file that is there is not overwritten."""
    msg_path: Path | None = None
    """Folder with the .msg files (PACKAGE/msg/NAME.msg) of types that the bag does not embed."""


def main(args: Spec) -> int:
    """Print or write the spec, and the warnings to standard error."""
    if args.output and args.output.exists():
        raise BagError(f"'{args.output}' is there already; name another file, or move it away")
    definitions = read_definitions(args.msg_path) if args.msg_path else {}
    bag = inspect_bag(one_bag(args.bag), definitions)
    text = draft_spec(bag, definitions)
    for warning in bag.warnings:
        print(f"dvf spec: {warning}", file=sys.stderr)
    if args.output is None:
        print(text, end="")
        return 0
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(text, encoding="utf-8")
    print(f"spec: {args.output}; check it, then: dvf convert {args.bag} DATASET --spec {args.output}")
    return 0
