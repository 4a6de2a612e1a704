"""An array that grows in a file, row by row: in the end a `.npy` file that numpy maps into memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np

BLOCK = 1 << 20  # bytes copied at a time


class ArrayFile:
    """`name.part`, which becomes `name.npy` when it is closed."""

    def __init__(self, folder: Path, name: str, dtype: type, row: tuple[int, ...]) -> None:
        self.row = row
        self.rows = 0
        self._dtype: np.dtype = np.dtype(dtype)
        self._part, self._path = folder / f"{name}.part", folder / f"{name}.npy"
        self._file = open(self._part, "wb")  # noqa: SIM115
        self._write_header()

    def append(self, array: np.ndarray) -> None:
        """Add rows (N, *row) at the end; raises ValueError where they have another shape."""
        if array.shape[1:] != self.row:
            raise ValueError(f"expected rows of {self.row}, found {array.shape[1:]}")
        step = max(BLOCK // max(array[:1].nbytes, 1), 1)
        for start in range(0, len(array), step):
            self._file.write(np.ascontiguousarray(array[start : start + step], self._dtype).data)
        self.rows += len(array)

    def close(self) -> None:
        """Finish the file and give it its name."""
        self._file.seek(0)
        self._write_header()
        self._file.close()
        self._part.replace(self._path)

    def abandon(self) -> None:
        """Leave nothing behind."""
        self._file.close()
        self._part.unlink(missing_ok=True)

    def _write_header(self) -> None:
        """Numpy leaves room in it for any number of rows, so that it is as long at the end as at the beginning."""
        shape = (self.rows, *self.row)
        header = {"descr": np.lib.format.dtype_to_descr(self._dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._file, header)
