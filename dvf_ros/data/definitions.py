"""Message definitions of a bag: those that it embeds, those that the user gives, and ROS 2 Jazzy's common ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from rosbags.interfaces import Connection, MessageDefinitionFormat, Nodetype
from rosbags.typesys import TypesysError, get_types_from_idl, get_types_from_msg

from dvf_ros.core.parsing import nearest
from dvf_ros.data.bag_storage import BagError
from dvf_ros.data.octets import OctetStore, jazzy_store

Origin = Literal["bag", "msg-path", "jazzy", "unknown"]


def read_definitions(folder: str | Path) -> dict[str, str]:
    """The text of all .msg files under `folder`, by type; `Name` alone where the file is in no `package/msg/`.

    Raises BagError if there are none, or one that is no UTF-8.
    """
    folder = Path(folder).resolve()
    found = {}
    for file in sorted(folder.rglob("*.msg")):
        package = file.parent.parent.name if file.parent.name == "msg" else ""
        try:
            found[f"{package}/msg/{file.stem}" if package else file.stem] = file.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            what = f"expected a .msg file in UTF-8, which byte {error.start} is not; save it as such"
            raise BagError(f"'{file}': {what}") from error
    if not found:
        raise BagError(f"'{folder}' holds no .msg file; expected PACKAGE/msg/NAME.msg somewhere in it")
    return found


class Definitions:
    """Which definition decodes which type; `given` (text by type) comes after the bag's own and before Jazzy's."""

    def __init__(self, connections: Sequence[Connection], given: Mapping[str, str] = {}) -> None:
        self._embedded = {c.msgtype: c.msgdef for c in connections if c.msgdef.format != MessageDefinitionFormat.NONE}
        recorded = {c.msgtype for c in connections}
        self._given = _named(given, recorded)
        self._common = _common_store()
        self._user: OctetStore | None = None
        self._stores: dict[str, OctetStore] = {}

    def origin(self, kind: str) -> Origin:
        """Where the definition of a type comes from."""
        if kind in self._embedded:
            return "bag"
        if kind in self._given:
            return "msg-path"
        return "jazzy" if kind in self._common.fielddefs else "unknown"

    def store(self, kind: str) -> OctetStore:
        """The type store that decodes `kind`; raises BagError where nothing defines it or a type within it."""
        if kind not in self._stores:
            store = self._make(kind)
            self._check_nested(kind, store)
            self._stores[kind] = store
        return self._stores[kind]

    def fields(self, kind: str) -> list[tuple[str, Any]]:
        """(name, descriptor) of a type's fields, as the rosbags library describes them; raises BagError."""
        return list(self.store(kind).fielddefs[kind][1])

    def _check_nested(self, kind: str, store: OctetStore) -> None:
        seen, waiting = set[str](), [kind]
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            if name not in store.fielddefs:
                raise BagError(f"the type '{kind}' holds a '{name}', which nothing defines; add its .msg to --msg-path")
            waiting += [inner for _, field in store.fielddefs[name][1] if (inner := message_of(field))]

    def _make(self, kind: str) -> OctetStore:
        origin = self.origin(kind)
        if origin == "unknown":
            hint = f" ({nearest(kind, self._given)})" if self._given else ""
            raise BagError(
                f"the type '{kind}' is not embedded in the bag and is none of ROS 2 Jazzy's common types{hint}; name"
                " the folder with its .msg file by --msg-path, or record it again as MCAP, which embeds it"
            )
        try:
            if origin == "bag":
                definition = self._embedded[kind]
                return _embedded_store(definition.format, definition.data, kind)
            if origin == "msg-path":
                self._user = self._user or _store(self._common.fielddefs | self._parse_given())
                return self._user
        except (TypesysError, KeyError, ValueError) as error:
            raise BagError(f"the definition of '{kind}' ({origin}) does not parse: {error}") from error
        return self._common

    def _parse_given(self) -> dict[str, Any]:
        types: dict[str, Any] = {}
        for name, text in self._given.items():
            types |= get_types_from_msg(text, name)
        return types


# Making a store, and its decoders, takes longer than reading a small bag: bags of one kind share them.
@lru_cache(maxsize=1)
def _common_store() -> OctetStore:
    return jazzy_store()


@lru_cache(maxsize=256)
def _embedded_store(form: MessageDefinitionFormat, text: str, kind: str) -> OctetStore:
    return _store(_parsed(form, text, kind))


def message_of(field: Any) -> str:
    """The message type that a field is or holds, by its descriptor; empty for numbers and strings."""
    node, about = field
    if node in (Nodetype.ARRAY, Nodetype.SEQUENCE):
        return message_of(about[0])
    return str(about) if node == Nodetype.NAME else ""


def _named(given: Mapping[str, str], recorded: set[str]) -> dict[str, str]:
    """`given` by full type name: a bare `Name` stands for the recorded type that ends so."""
    named = {}
    for name, text in given.items():
        full = [name] if "/" in name else [kind for kind in recorded if kind.rpartition("/")[2] == name]
        named.update(dict.fromkeys(full, text))
    return named


def _parsed(form: MessageDefinitionFormat, text: str, kind: str) -> dict[str, Any]:
    if form == MessageDefinitionFormat.MSG:
        return dict(get_types_from_msg(text, kind))
    types: dict[str, Any] = {}
    for part in text.split("=" * 80 + "\n"):
        types |= get_types_from_idl(part.split("\n", 1)[1] if part.startswith("IDL: ") else part)
    return types


def _store(types: Mapping[str, Any]) -> OctetStore:
    store = OctetStore()
    store.register(dict(types))
    return store
