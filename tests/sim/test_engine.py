"""The simulation engine is imported quietly: no words, no other Python."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytest.importorskip("robosuite")

IMPORT = """
import sys
sys.addaudithook(lambda event, about: event == "subprocess.Popen" and print("started", about[0]))
from dvf_ros.sim.engine import engine
mujoco, robosuite = engine()
import glfw
print(robosuite.__name__, mujoco.__name__, glfw.get_version()[0])
"""


def test_importing_robosuite_starts_no_python_that_a_ctrl_c_could_hit() -> None:
    """glfw starts one, to ask for its library's version: `dvf play` once printed that one's traceback."""
    environment = {name: value for name, value in os.environ.items() if name != "PYGLFW_LIBRARY"}
    done = subprocess.run(
        [sys.executable, "-c", IMPORT], env=environment, capture_output=True, text=True, timeout=100, check=True
    )
    assert done.stdout.splitlines()[-1] == "robosuite mujoco 3"
    assert sys.executable not in done.stdout
    assert "macro" not in done.stderr and "SyntaxWarning" not in done.stderr
