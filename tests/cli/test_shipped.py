"""What comes with the package is found from any folder: in the checkout, beside ROS, and where pip has put it."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

import pytest

from dvf_ros.cli import shipped
from dvf_ros.cli.play import Play
from dvf_ros.cli.reproduce import Reproduce
from dvf_ros.cli.shipped import shipped_file

ROOT = Path(__file__).parents[2]
SPEC = "config/panda_play.yaml"
AMENT = "ament_index_python.packages"


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package, in a folder of somebody else's; nothing of ours is anywhere yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(shipped, "CHECKOUT", tmp_path / "site-packages")
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path / "install"))
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path / name))
    (tmp_path / "install").mkdir()
    return tmp_path


def put(file: Path) -> Path:
    file.parent.mkdir(parents=True)
    file.touch()
    return file


def test_defaults_name_files_of_the_checkout_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "CHECKOUT", ROOT)  # the package itself may be an installed one
    monkeypatch.chdir(ROOT)
    assert (Play(Path("d")).spec, Reproduce().shipped) == (Path(SPEC), Path("resource/panda_lift.yaml"))
    monkeypatch.chdir(tmp_path)
    assert (Play(Path("d")).spec, Reproduce().shipped) == (ROOT / SPEC, ROOT / "resource/panda_lift.yaml")
    put(tmp_path / SPEC)
    assert shipped_file(SPEC) == ROOT / SPEC, "the same name elsewhere is somebody else's"


def test_the_share_folder_of_ros_holds_them(elsewhere: Path) -> None:
    pytest.importorskip(AMENT)
    put(elsewhere / "install/share/ament_index/resource_index/packages/dvf_ros")
    assert shipped_file(SPEC) == Path(SPEC), "a share folder without the file"
    file = put(elsewhere / "install/share/dvf_ros" / SPEC)
    assert shipped_file(SPEC) == file


@pytest.mark.parametrize("ros", ["none", "not sourced", "without the package"])
def test_the_folder_of_pip_holds_them(elsewhere: Path, monkeypatch: pytest.MonkeyPatch, ros: str) -> None:
    if ros == "none":
        monkeypatch.setitem(sys.modules, AMENT, None)
    elif ros == "not sourced":
        monkeypatch.delenv("AMENT_PREFIX_PATH")
    assert shipped_file(SPEC) == Path(SPEC), "for whoever reads it to refuse"
    file = put(elsewhere / "data/share/dvf_ros" / SPEC)
    assert shipped_file(SPEC) == file
