"""Files that are written at the end of long work: asked before it whether they can be, and whole or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path


def require_writable(path: Path) -> None:
    """Raise OSError where a file cannot be written to `path`; makes its folder, and leaves what is there as it is."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "expected a file's name, found a folder", str(path))
    if path.exists() and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    if _is_device(path):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def write_text(path: Path, text: str) -> None:
    """Write a text as UTF-8, whole or not at all; what UTF-8 cannot say (file names may) is written in escapes."""
    data = text.encode("utf-8", "backslashreplace")
    if _is_device(path):
        path.write_bytes(data)
        return
    part = part_of(path)
    part.write_bytes(data)
    part.replace(path)


def part_of(path: Path) -> Path:
    """Where a file is written before it takes its place."""
    return path.with_name(f"{path.name}.part")


def _is_device(path: Path) -> bool:
    """Whether nothing can take its place: /dev/null, /dev/stdout, a pipe."""
    return path.exists() and not path.is_file()
