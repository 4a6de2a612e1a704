"""`dvf export` and `dvf import` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dvf_ros.cli.main import main as dvf
from dvf_ros.data.conversion import convert
from dvf_ros.data.dataset import ARRAYS, Dataset
from tests.data.bag_making import custom, write_reach
from tests.data.test_lerobot import write_foreign


@pytest.fixture
def converted(tmp_path: Path) -> Path:
    write_reach(tmp_path / "bags" / "one", frames=12, about=custom("expert", "success"), commands=range(0, 9, 2))
    write_reach(tmp_path / "bags" / "two", frames=30, skip=range(10, 15), about=custom("novice", "failure"))
    convert([tmp_path / "bags"], tmp_path / "data", jobs=1)
    return tmp_path / "data"


@pytest.mark.parametrize("format", ["lerobot", "robomimic"])
def test_the_same_bytes_come_back(converted: Path, tmp_path: Path, format: str) -> None:
    assert dvf(["export", str(converted), str(tmp_path / "out"), "--format", format]) == 0
    assert dvf(["import", str(tmp_path / "out"), str(tmp_path / "back")]) == 0
    for file in (tmp_path / "back").iterdir():
        assert file.read_bytes() == (converted / file.name).read_bytes(), file.name
    assert {file.name for file in (tmp_path / "back").iterdir()} == {
        *(f"{name}.npy" for name in ARRAYS),
        "episodes.parquet",
        "spec.yaml",
    }


def test_bags_for_foxglove_convert_to_the_same_frames(converted: Path, tmp_path: Path) -> None:
    assert dvf(["export", str(converted), str(tmp_path / "out"), "--format", "mcap"]) == 0
    assert dvf(["convert", str(tmp_path / "out"), str(tmp_path / "back"), "--jobs", "1"]) == 0
    one, two = Dataset.open(converted), Dataset.open(tmp_path / "back")
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


def test_what_is_no_such_data_is_refused(converted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dvf(["import", str(tmp_path / "bags"), str(tmp_path / "back")]) == 1
    assert "bags are for: dvf convert" in " ".join(capsys.readouterr().err.split())
    assert dvf(["export", str(tmp_path / "nothing"), str(tmp_path / "out"), "--format", "lerobot"]) == 1
    assert "is not a dataset" in capsys.readouterr().err
    assert dvf(["export", str(converted), str(tmp_path / "out"), "--format", "lerobot"]) == 0
    assert dvf(["import", str(tmp_path / "out"), str(converted)]) == 1
    assert "is not empty" in capsys.readouterr().err


def test_an_import_that_fails_leaves_no_folder(converted: Path, tmp_path: Path) -> None:
    assert dvf(["export", str(converted), str(tmp_path / "out"), "--format", "lerobot"]) == 0
    (file,) = (tmp_path / "out" / "data").rglob("*.parquet")
    file.write_bytes(b"cut off")
    assert dvf(["import", str(tmp_path / "out"), str(tmp_path / "back")]) == 1
    assert not (tmp_path / "back").exists()


def test_what_an_import_leaves_out_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_foreign(tmp_path / "so100")
    assert dvf(["import", str(source), str(tmp_path / "data")]) == 0
    assert "left out: observation.images.top (not numbers)\n" in capsys.readouterr().out
    file = source / "meta" / "info.json"
    info = json.loads(file.read_text())
    del info["features"]["observation.images.top"]
    file.write_text(json.dumps(info))
    assert dvf(["import", str(source), str(tmp_path / "blind")]) == 0
    assert "left out: observation" not in capsys.readouterr().out
    info["features"] |= {
        "observation.effort": {"dtype": "float32", "shape": [2], "names": None},
        "timestamp": {"dtype": "float32", "shape": [1], "names": None},
        "words[/b]": {"dtype": "string", "shape": [1], "names": None},
    }
    file.write_text(json.dumps(info))
    assert dvf(["import", str(source), str(tmp_path / "more")]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "left out: observation.effort (neither state, action nor outcome by its name), words[/b] (not num" in said
    assert "timestamp" not in said


def test_names_with_brackets_are_printed_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "[slow]" / "x[/b]"
    write_reach(place / "bags" / "one", frames=12)
    one = ["--jobs", "1"]
    for command, source, target, *options in (
        ("convert", "bags", "data", *one),
        ("convert", "bags", "data", *one),  # nothing to do
        ("convert", "bags", "shard", *one, "--shard", "0/1"),
        ("merge", "shard", "merged"),
        ("export", "data", "mcap", "--format", "mcap"),
        ("export", "data", "out.hdf5", "--format", "robomimic"),
        ("import", "out.hdf5", "back"),
    ):
        assert dvf([command, str(place / source), str(place / target), *options]) == 0
        assert f"'{place / target}'" in capsys.readouterr().out.replace("\n", ""), command
