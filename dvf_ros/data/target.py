"""Where a dataset may be written: into a new folder, or over an earlier conversion of the same bags."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from dvf_ros.data.bag_search import ConversionError
from dvf_ros.data.bag_storage import storage_files
from dvf_ros.data.report import REPORT, Report

PARTS = ".parts"  # of a conversion that was interrupted
SHOWN = 3  # entries of a folder, or bags, that an error names


def earlier_conversion(folder: Path, inputs: Sequence[str | Path]) -> Report | None:
    """The report of the conversion that `folder` holds; None for a new folder, or where one was interrupted.

    Raises ConversionError where `folder` is or holds anything else, which a dataset would be written over.
    """
    earlier = Report.read(folder / REPORT)
    require_free(folder, inputs, own=earlier is not None or (folder / PARTS).is_dir())
    return earlier


def require_free(folder: Path, inputs: Sequence[str | Path], own: bool) -> None:
    """Raise ConversionError for a file, a bag, one of `inputs`, or a folder that holds anything that is not `own`."""
    found = ""
    if folder.exists() and not folder.is_dir():
        found = "a file"
    elif folder.is_dir() and ((folder / "metadata.yaml").exists() or storage_files(folder)):
        found = "a bag"
    elif folder.resolve() in (Path(path).resolve() for path in inputs):
        found = "an input"
    if found:
        raise ConversionError(
            f"'{folder}': expected the folder to write, last, found {found}; name one after the inputs"
        )
    if folder.is_dir() and not own and (there := sorted(file.name for file in folder.iterdir())):
        raise ConversionError(
            f"'{folder}': expected a new folder or an earlier conversion, found {_some(there)}; name another, or move"
            " away what is in it"
        )


def require_same_bags(folder: Path, earlier: Report | None, bags: Collection[str]) -> None:
    """Raise ConversionError where the `earlier` conversion in `folder` shares none of `bags` (names and digests)."""
    if earlier and not any(bag.source in bags or bag.digest in bags for bag in earlier.bags):
        names = _some([bag.source for bag in earlier.bags])
        raise ConversionError(
            f"'{folder}': expected a new folder or a dataset of these bags, found one of {names}; name another, or"
            " delete it"
        )


def _some(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names[:SHOWN]) + (", …" if len(names) > SHOWN else "")
