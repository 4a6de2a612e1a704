"""robosuite and MuJoCo, imported without what they say or start beside it."""

from __future__ import annotations

import logging
import os
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any


def engine() -> tuple[Any, Any]:
    """The modules `mujoco` and `robosuite`: seconds, the first time."""
    # robosuite warns at import that nobody wrote a private macro file; errors still come through.
    logging.getLogger("robosuite_logs").addFilter(_is_error)
    _tell_glfw_its_library()
    import mujoco

    with warnings.catch_warnings():
        # Its source has escapes that Python 3.12 warns of whenever it compiles them.
        warnings.simplefilter("ignore", SyntaxWarning)
        import robosuite

    return mujoco, robosuite


def _is_error(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR


def _tell_glfw_its_library() -> None:
    """Name the library that glfw brings along, where it does: robosuite imports glfw, though no window is opened.

    glfw would start another Python to look for it, which writes a traceback at a Ctrl-C in that moment.
    """
    package = find_spec("glfw")
    for folder in (package and package.submodule_search_locations) or ():
        library = Path(folder) / "x11" / "libglfw.so"
        if library.is_file():
            os.environ.setdefault("PYGLFW_LIBRARY", str(library))
