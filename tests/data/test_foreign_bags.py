"""Bags that the rosbags library refuses, or reads in part: types without definition, no index, another profile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mcap.reader import make_reader
from mcap.writer import IndexType

from dvf_ros.cli.main import main as dvf
from dvf_ros.data.bag_conversion import DEFAULTS, convert_bag
from dvf_ros.data.bag_reader import BagReader
from dvf_ros.data.bag_repair import repair_bag
from dvf_ros.data.bag_storage import BagError
from dvf_ros.data.salvage import SalvagedMcap
from tests.data.foreign_bags import COUNT, FLOAT, ODD, SPEC, numbers, write_database, write_mcap

NUMBERS = [float(k) for k in range(COUNT)]


def heard(bag: Path) -> list[float]:
    with BagReader(bag) as reader:
        return [message.data for _, _, message in reader.messages({"/fast"})]


def undefined(folder: Path, kind: str) -> Path:
    if kind == ".db3":
        return write_database(folder / "bag.db3", numbers())
    return write_mcap(folder / "bag.mcap", numbers(), odd=kind)


@pytest.mark.parametrize("kind", ["unknown", "protobuf", "", ".db3"])
def test_a_type_without_definition_leaves_the_other_topics_as_they_are(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bag = undefined(tmp_path, kind)
    with BagReader(bag) as reader:
        assert reader.note == "" and reader.types == {"/fast": FLOAT, "/odd": ODD}
        assert not any(isinstance(storage, SalvagedMcap) for storage in reader._files.storages)
        assert len(list(reader.raw({"/odd"}))) == COUNT // 10
        with pytest.raises(BagError, match=r"'/odd'.*is not embedded in the bag"):
            reader.check({"/odd"})
    assert heard(bag) == NUMBERS
    report = convert_bag(bag, SPEC.text, DEFAULTS, tmp_path / "parts")
    assert (report.status, report.frames, report.note) == ("converted", COUNT, ""), report.reason
    monkeypatch.setenv("COLUMNS", "220")
    assert dvf(["inspect", str(bag)]) == 0
    rows = [line.split()[:4] for line in capsys.readouterr().out.splitlines()]
    assert ["/fast", FLOAT, "bag", str(COUNT)] in rows and ["/odd", ODD, "unknown", str(COUNT // 10)] in rows


def test_a_database_with_a_type_without_definition_begins_when_its_first_message_does(tmp_path: Path) -> None:
    with BagReader(undefined(tmp_path, ".db3")) as reader:
        (storage,) = reader._files.storages
        (first, *_, last) = [stamp for _, stamp, _ in reader.raw({"/fast"})]
        assert (storage.start_time, storage.end_time) == (first, last + 1)


def test_a_database_without_messages_but_with_such_a_type_is_empty(tmp_path: Path) -> None:
    with BagReader(write_database(tmp_path / "bag.db3", [])) as reader:
        assert reader.types == {} and len(reader.connections) == 2 and reader.note == ""


PARTIAL: dict[str, dict[str, Any]] = {
    "no message index": {"index_types": IndexType.ALL & ~IndexType.MESSAGE},
    "no message index, no statistics": {"index_types": IndexType.ALL & ~IndexType.MESSAGE, "use_statistics": False},
    "no chunk index": {"index_types": IndexType.ALL & ~IndexType.CHUNK},
    "no index": {"index_types": IndexType.NONE},
    "no statistics": {"use_statistics": False},
    "no channels": {"repeat_channels": False},
    "no schemas": {"repeat_schemas": False},
    "no chunks": {"use_chunking": False},
}


@pytest.mark.parametrize("missing", PARTIAL)
def test_a_file_whose_summary_is_partial_is_read_whole(tmp_path: Path, missing: str) -> None:
    bag = write_mcap(tmp_path / "bag.mcap", numbers(), odd="unknown", **PARTIAL[missing])
    with BagReader(bag) as reader:
        assert reader.types == {"/fast": FLOAT, "/odd": ODD}
        told = missing.startswith(("no message index", "no channels", "no schemas"))
        assert reader.note == ("'bag.mcap' has no whole index, so it is read from end to end" if told else "")
    assert heard(bag) == NUMBERS


def test_a_file_without_a_message_index_is_told_and_salvage_gives_it_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bag = write_mcap(tmp_path / "bag.mcap", numbers(), **PARTIAL["no message index"])
    monkeypatch.setenv("COLUMNS", "220")
    assert dvf(["inspect", str(bag)]) == 0
    said = capsys.readouterr().out
    assert f"bag.mcap: {COUNT} messages" in said
    assert "! 'bag.mcap' has no whole index, so it is read from end to end" in said
    assert dvf(["salvage", str(bag)]) == 0
    assert f"{COUNT} messages salvaged; lost: only the index" in capsys.readouterr().out
    with (tmp_path / "bag_salvaged" / "bag_salvaged_0.mcap").open("rb") as stream:
        summary = make_reader(stream).get_summary()
    assert summary is not None and all(chunk.message_index_offsets for chunk in summary.chunk_indexes)
    assert heard(tmp_path / "bag_salvaged") == NUMBERS


def test_an_intact_file_of_another_profile_is_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bag = write_mcap(tmp_path / "bag.mcap", numbers(), profile="")
    with BagReader(bag) as reader:
        assert reader.note == ""
    assert heard(bag) == NUMBERS
    assert dvf(["salvage", str(bag)]) == 0
    assert "is whole: nothing to do" in capsys.readouterr().out
    assert not (tmp_path / "bag_salvaged").exists()


@pytest.mark.parametrize("profile", ["", "ros2"])
@pytest.mark.parametrize("damage", ["no footer", "no magic", "more after the end", "summary elsewhere"])
def test_a_file_without_its_right_end_is_not_whole_whatever_its_profile(
    tmp_path: Path, profile: str, damage: str
) -> None:
    bag = write_mcap(tmp_path / "bag.mcap", numbers(), profile=profile)
    content = bag.read_bytes()
    start = len(content) - 8 - 20  # of the footer's own: where the summary begins
    changed = {
        "no footer": content[:-37],
        "no magic": content[:-8],
        "more after the end": content + b"\0",
        "summary elsewhere": content[:start] + b"\xff" * 7 + b"\0" + content[start + 8 :],
    }
    bag.write_bytes(changed[damage])
    with BagReader(bag) as reader:
        assert f"'bag.mcap' is not whole: {COUNT} messages salvaged" in reader.note
    repair = repair_bag(bag)
    assert repair is not None and repair.messages == {"/fast": COUNT}
