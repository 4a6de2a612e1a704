"""Keep the garbage collector from holding up what has to be in time."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def settled_memory() -> Iterator[None]:
    """Within it, what was there at its begin is out of the collector's sight.

    Torch alone makes some hundred thousand objects; a full collection among them stops every thread for longer than a
    tick has. Afterwards all objects are collected again, those of an enclosing one included.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
