"""Memory that is out of the garbage collector's sight for a while, and not for ever."""

from __future__ import annotations

import gc
import weakref

import pytest

from dvf_ros.nodes.memory import settled_memory


class Thing:
    """Can refer to itself."""


def cycle() -> weakref.ref[Thing]:
    thing = Thing()
    thing.itself = thing
    return weakref.ref(thing)


def test_what_was_there_is_not_looked_at_until_it_is_left_also_after_an_error() -> None:
    kept = Thing()
    kept.itself, old = kept, weakref.ref(kept)
    with pytest.raises(OSError), settled_memory():
        assert gc.get_freeze_count() > 0
        del kept
        new = cycle()
        gc.collect()
        assert old() is not None and new() is None
        raise OSError
    assert gc.get_freeze_count() == 0
    gc.collect()
    assert old() is None
