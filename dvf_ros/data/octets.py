"""ROS 2's `byte` as the unsigned octet that it is: the rosbags library takes one above 127 for a negative number."""

from __future__ import annotations

from typing import Any

from rosbags.interfaces import Msgdef, Nodetype
from rosbags.typesys import Stores, get_typestore
from rosbags.typesys.store import Typestore


class OctetStore(Typestore):
    """A type store that reads and writes `byte` as `uint8`; definitions and type hashes still say `byte`."""

    def get_msgdef(self, typename: str) -> Msgdef[object]:
        """The type's decoders and encoders, made when they are first asked for."""
        if typename not in self.cache:
            constants, fields = self.fielddefs[typename]
            self.fielddefs[typename] = constants, [(name, _unsigned(field)) for name, field in fields]
            try:
                super().get_msgdef(typename)  # remembers it in the cache
            finally:
                self.fielddefs[typename] = constants, fields
        return self.cache[typename]


def jazzy_store() -> OctetStore:
    """ROS 2 Jazzy's common types."""
    common, store = get_typestore(Stores.ROS2_JAZZY), OctetStore()
    store.fielddefs.update(common.fielddefs)
    store.types.update(common.types)
    return store


def _unsigned(field: Any) -> Any:
    """The description of a field, with `uint8` in the place of `byte`."""
    node, about = field
    if node in (Nodetype.ARRAY, Nodetype.SEQUENCE):
        return node, (_unsigned(about[0]), about[1])
    return (node, ("uint8", about[1])) if node == Nodetype.BASE and about[0] == "byte" else field
