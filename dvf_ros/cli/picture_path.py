"""Where a picture goes."""

from __future__ import annotations

from pathlib import Path

from dvf_ros.core.parsing import ConfigError
from dvf_ros.core.writing import require_writable

PICTURES = (".png", ".pdf", ".svg")


def require_picture(path: Path) -> None:
    """Raise ConfigError for an `--output` that names no picture, OSError for one that cannot be written."""
    if path.suffix.lower() not in PICTURES:
        raise ConfigError(f"--output: expected a picture's name, with one of {', '.join(PICTURES)}; found '{path}'")
    require_writable(path)
