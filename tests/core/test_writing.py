"""Files at the end of long work: asked for before it, whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dvf_ros.core.writing import require_writable, write_text


def test_asking_leaves_everything_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "notes.json.part").write_text("somebody's")
    require_writable(tmp_path / "notes.json")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.json.part"]
    assert (tmp_path / "notes.json.part").read_text() == "somebody's"


def test_a_device_is_written_and_not_replaced() -> None:
    null = Path("/dev/null")
    require_writable(null)
    write_text(null, "nothing")
    assert null.is_char_device() and not Path("/dev/null.part").exists()


@pytest.mark.parametrize("read_only", ["file", "folder"])
def test_what_cannot_be_written_is_named(read_only: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may write anything: the system's answer to somebody else is put into its mouth."""
    path = tmp_path / "figures.json"
    path.write_text("old")
    if read_only == "file":
        monkeypatch.setattr(os, "access", lambda *_: False)
    else:
        monkeypatch.setattr("tempfile.TemporaryFile", lambda dir: Path(dir, "none").read_bytes())
    with pytest.raises(OSError) as error:
        require_writable(path)
    assert error.value.filename == str(path) and path.read_text() == "old"


def test_a_text_takes_the_place_of_another_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "page.html"
    write_text(path, "old")
    monkeypatch.setattr(Path, "replace", lambda *_: pytest.fail("written in place"))
    with pytest.raises(pytest.fail.Exception):
        write_text(path, "new")
    assert path.read_text() == "old"


def test_a_file_name_that_is_no_text_is_written_in_escapes(tmp_path: Path) -> None:
    write_text(tmp_path / "page.html", os.fsdecode(b"data/\xff"))
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == r"data/\udcff"
