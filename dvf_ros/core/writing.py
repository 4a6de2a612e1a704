"""Whether a file can be written, asked before the work that ends with it."""

from __future__ import annotations

import errno
from pathlib import Path


def require_writable(path: Path) -> None:
    """Raise OSError where a file cannot be written to `path`; makes its folder, and leaves what is there as it is."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "expected a file's name, found a folder", str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    trial = part_of(path)
    trial.touch()
    trial.unlink()


def part_of(path: Path) -> Path:
    """Where a file is written before it takes its place."""
    return path.with_name(f"{path.name}.part")
