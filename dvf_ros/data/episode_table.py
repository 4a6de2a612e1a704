"""The table of a dataset's episodes, one row each: `episodes.parquet`.

A conversion's processes start often, and pa.array, Table.from_pylist and pq.read_table take a second to import pandas,
where it is installed; what is used here does not.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.json
import pyarrow.parquet as pq

FILE = "episodes.parquet"

SCHEMA = pa.schema(
    [
        ("length", pa.int64()),
        ("behavior", pa.string()),
        ("success", pa.bool_()),
        ("terminated", pa.bool_()),
        ("truncated", pa.bool_()),
        ("source", pa.string()),
        ("source_digest", pa.string()),
        ("quality", pa.string()),
    ]
)


def make_table(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """The table of at least one row."""
    lines = "\n".join(map(json.dumps, rows)).encode()
    options = pa.json.ParseOptions(explicit_schema=SCHEMA, unexpected_field_behavior="error")
    return pa.json.read_json(io.BytesIO(lines), parse_options=options)


def read_table(folder: Path) -> pa.Table:
    """The table of a dataset folder, with columns that it lacks (written by an earlier version) empty."""
    rows = pq.ParquetFile(folder / FILE).read()
    return rows if rows.schema.equals(SCHEMA) else pq.read_table(folder / FILE, schema=SCHEMA)


def write_table(rows: pa.Table, folder: Path) -> None:
    """Write it into a dataset folder."""
    pq.write_table(rows, folder / FILE)


def columns_of(rows: pa.Table) -> dict[str, Any]:
    """Its columns as Dataset has them."""
    lengths = np.array(rows["length"].to_pylist(), np.int64)  # to_numpy would import pandas
    behaviors = [name or "" for name in rows["behavior"].to_pylist()]  # fill_null would import pandas, too
    names = sorted(set(behaviors))
    index = {name: i for i, name in enumerate(names)}
    return {
        "episode_start": np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64),
        "episode_length": lengths,
        "terminated": np.array(rows["terminated"].to_pylist(), bool),
        "truncated": np.array(rows["truncated"].to_pylist(), bool),
        "success": np.array(rows["success"].to_pylist(), np.float32),  # None becomes NaN
        "behavior": np.array([index[name] for name in behaviors], np.int64),
        "behavior_names": tuple(names),
        "source": tuple(rows["source"].to_pylist()),
        "source_digest": tuple(rows["source_digest"].to_pylist()),
        "quality_text": tuple(rows["quality"].to_pylist()),
    }
