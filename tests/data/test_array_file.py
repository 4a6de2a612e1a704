"""Arrays that grow in a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvf_ros.data import array_file
from dvf_ros.data.array_file import ArrayFile


@given(
    lengths=st.lists(st.integers(0, 300), max_size=6),
    row=st.sampled_from([(), (0,), (3,)]),
    dtype=st.sampled_from([np.float32, np.int64, np.bool_]),
)
def test_what_is_appended_is_read(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], row: tuple[int, ...], dtype: type
) -> None:
    rng = np.random.default_rng(0)
    pieces = [np.asarray(rng.normal(size=(length, *row)), dtype) for length in lengths]
    folder = tmp_path_factory.mktemp("array")
    file = ArrayFile(folder, "states", dtype, row)
    for piece in pieces:
        file.append(piece)
    file.close()
    assert [path.name for path in folder.iterdir()] == ["states.npy"]
    found = np.load(folder / "states.npy")
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, np.concatenate([np.empty((0, *row), dtype), *pieces]))


def test_more_than_a_block_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(array_file, "BLOCK", 64)
    rows = np.arange(300, dtype=np.float32).reshape(100, 3)
    file = ArrayFile(tmp_path, "states", np.float32, (3,))
    file.append(rows[::-1])
    file.close()
    np.testing.assert_array_equal(np.load(tmp_path / "states.npy", mmap_mode="r"), rows[::-1])


def test_rows_of_another_shape_and_an_end_before_the_end(tmp_path: Path) -> None:
    file = ArrayFile(tmp_path, "states", np.float32, (3,))
    with pytest.raises(ValueError, match=r"expected rows of \(3,\), found \(2,\)"):
        file.append(np.zeros((5, 2)))
    file.abandon()
    assert not list(tmp_path.iterdir())
