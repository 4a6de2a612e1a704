"""Ctrl-C, as a terminal sends it to a command and its workers alike: one line, no traceback, nothing left running."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dvf_ros.data.conversion import PARTS, convert
from dvf_ros.data.dataset import Dataset
from tests.data.bag_making import write_reach
from tests.data.test_conversion import content

BAGS = 8

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bags(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bags that take a moment each; their metadata tells them apart."""
    folder = tmp_path_factory.mktemp("interrupts") / "bags"
    write_reach(folder / "bag0", frames=1500)
    for k in range(1, BAGS):
        shutil.copytree(folder / "bag0", folder / f"bag{k}")
        with open(folder / f"bag{k}" / "metadata.yaml", "a", encoding="utf-8") as file:
            file.write(f"# {k}\n")
    return folder


@contextmanager
def running_dvf(*words: str | Path, interrupts: str = "default") -> Iterator[subprocess.Popen[str]]:
    """A `dvf` command in a process group of its own."""
    # A script that runs in the background leaves SIGINT ignored to all that it starts, which may be these tests.
    process = subprocess.Popen(
        ["env", f"--{interrupts}-signal=INT", sys.executable, "-m", "dvf_ros.cli", *words],
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        if running(process):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def converting(bags: Path, data: Path) -> list[str | Path]:
    return ["convert", bags, data, "--jobs", "2"]


@pytest.fixture
def command(bags: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    with running_dvf(*converting(bags, tmp_path / "data")) as process:
        yield process


def wait_for(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def running(process: subprocess.Popen[str]) -> int:
    """How many processes of its group have not ended."""
    count = 0
    for about in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, group = about.read_text().rpartition(") ")[2].split()[:3]
        except OSError:
            continue  # it has ended
        count += int(group) == process.pid and state != "Z"
    return count


def is_quiet_after_ctrl_c(process: subprocess.Popen[str], name: str = "convert") -> None:
    os.killpg(process.pid, signal.SIGINT)
    out, said = process.communicate(timeout=60)
    assert said == f"dvf {name}: interrupted\n"
    assert process.returncode == 130 and "Traceback" not in out
    wait_for(lambda: running(process) == 0)


@pytest.mark.parametrize("moment", [0.0, 0.3, 0.6, 1.0])
def test_ctrl_c_while_workers_start(command: subprocess.Popen[str], moment: float) -> None:
    wait_for(lambda: running(command) >= 4)  # with the one that watches over multiprocessing's resources
    time.sleep(moment)
    is_quiet_after_ctrl_c(command)


def test_ctrl_c_while_workers_work(command: subprocess.Popen[str], bags: Path, tmp_path: Path) -> None:
    parts = tmp_path / "data" / PARTS
    wait_for(lambda: any(parts.glob("*/report.json")))
    is_quiet_after_ctrl_c(command)
    done = len(list(parts.glob("*/report.json")))
    assert 0 < done < BAGS
    convert([bags], tmp_path / "data", jobs=1)
    convert([bags], tmp_path / "whole", jobs=1)
    assert content(tmp_path / "data") == content(tmp_path / "whole")
    assert Dataset.open(tmp_path / "data").episodes == BAGS


def test_an_interrupt_of_the_command_alone_waits_for_the_bags_in_work_only(
    command: subprocess.Popen[str], tmp_path: Path
) -> None:
    parts = tmp_path / "data" / PARTS
    wait_for(lambda: any(parts.glob("*/report.json")))
    command.send_signal(signal.SIGINT)
    _, said = command.communicate(timeout=60)
    assert (command.returncode, said) == (130, "dvf convert: interrupted\n")
    assert len(list(parts.glob("*/report.json"))) < BAGS
    wait_for(lambda: running(command) == 0)


def test_a_background_conversion_of_a_script_hears_no_ctrl_c_nor_do_its_workers(bags: Path, tmp_path: Path) -> None:
    with running_dvf(*converting(bags, tmp_path / "data"), interrupts="ignore") as process:
        wait_for(lambda: any((tmp_path / "data" / PARTS).glob("*/report.json")))
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=100)
    assert (process.returncode, said) == (0, "")
    assert Dataset.open(tmp_path / "data").episodes == BAGS


@pytest.mark.parametrize("moment", [0.0, 4.0])
def test_ctrl_c_while_the_simulation_plays(tmp_path: Path, moment: float) -> None:
    with running_dvf("play", tmp_path / "data", "--calm", "100", "--brisk", "0") as process:
        wait_for(lambda: running(process) >= 4)
        time.sleep(moment)
        is_quiet_after_ctrl_c(process, "play")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("moment", [0.0, 4.0])
def test_ctrl_c_while_checkpoints_are_evaluated(tmp_path: Path, moment: float) -> None:
    with running_dvf("evaluate", "resource/panda_lift.yaml", "--result", tmp_path / "evaluate.json") as process:
        wait_for(lambda: running(process) >= 4)
        time.sleep(moment)
        is_quiet_after_ctrl_c(process, "evaluate")
    assert not (tmp_path / "evaluate.json").exists()
