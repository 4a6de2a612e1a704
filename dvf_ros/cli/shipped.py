"""What comes with the package, robot specs and checkpoints: in the checkout, or where an installation has put them."""

from __future__ import annotations

import sysconfig
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
"""The folder above the package; of an installed one it holds nothing of ours."""


def shipped_file(name: str) -> Path:
    """Where the file `name` lies, such as config/panda_play.yaml.

    As `name` itself in the checkout's folder, so that results name it alike on every machine; and where it is nowhere,
    for whoever reads it to refuse.
    """
    path = Path(name)
    for folder in _folders():
        file = folder / path
        if file.is_file():
            return path if path.exists() and path.samefile(file) else file
    return path


def _folders() -> Iterator[Path]:
    yield CHECKOUT
    # No ROS, no package of this name in it, or a ROS that is not sourced.
    with suppress(ModuleNotFoundError, LookupError, OSError):
        from ament_index_python.packages import get_package_share_directory

        yield Path(get_package_share_directory("dvf_ros", print_warning=False))
    yield Path(sysconfig.get_path("data"), "share", "dvf_ros")  # of the pip door (setup.py)
