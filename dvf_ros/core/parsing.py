"""Read YAML into frozen dataclasses; every error names file, line, what was expected and the nearest known key."""

from __future__ import annotations

import dataclasses
import difflib
import sys
import types
import typing
from typing import Any

import yaml


class ConfigError(ValueError):
    """A text that people write (spec, configuration) says something that cannot be meant."""


def nearest(word: str, known: typing.Iterable[str]) -> str:
    """A hint naming the known word closest to `word`, or all known words where none is close."""
    known = sorted(known)
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean '{close[0]}'?" if close else f"known: {', '.join(known) or 'none'}"


def parse[T](cls: type[T], text: str, origin: str) -> T:
    """Build the dataclass `cls` from YAML `text`; `origin` (a file name) opens every error message.

    Raises ConfigError for YAML that does not parse, unknown or missing keys and values of the wrong type.
    """
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"{origin}: not valid YAML: {error}") from error
    if node is None:
        raise ConfigError(f"{origin}: expected a mapping of {_keys_of(cls)}, found an empty text")
    return _build(cls, node, origin, "")


def _keys_of(cls: type) -> str:
    return ", ".join(field.name for field in dataclasses.fields(cls) if field.init)


def _fail(origin: str, node: yaml.Node, where: str, message: str) -> typing.NoReturn:
    place = f" at '{where}'" if where else ""
    raise ConfigError(f"{origin}:{node.start_mark.line + 1}:{place} {message}")


def _build(expected: Any, node: yaml.Node, origin: str, where: str) -> Any:
    if dataclasses.is_dataclass(expected) and isinstance(expected, type):
        return _build_dataclass(expected, node, origin, where)
    kind = typing.get_origin(expected)
    if kind in (typing.Union, types.UnionType):
        return _build_optional(expected, node, origin, where)
    if kind is tuple:
        if not isinstance(node, yaml.SequenceNode):
            _fail(origin, node, where, f"expected a list, found {_describe(node)}")
        element = typing.get_args(expected)[0]
        return tuple(_build(element, item, origin, f"{where}[{i}]") for i, item in enumerate(node.value))
    return _build_scalar(expected, node, origin, where)


def _build_optional(expected: Any, node: yaml.Node, origin: str, where: str) -> Any:
    inner = [option for option in typing.get_args(expected) if option is not type(None)]
    if isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null":
        return None
    return _build(inner[0], node, origin, where)


def _build_dataclass(cls: type, node: yaml.Node, origin: str, where: str) -> Any:
    if not isinstance(node, yaml.MappingNode):
        _fail(origin, node, where, f"expected a mapping of {_keys_of(cls)}, found {_describe(node)}")
    hints = typing.get_type_hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls) if field.init}
    values: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = str(key_node.value)
        if key not in fields:
            _fail(origin, key_node, where, f"unknown key '{key}'; {nearest(key, fields)}")
        if key in values:
            _fail(origin, key_node, where, f"key '{key}' stands twice; keep one")
        values[key] = _build(hints[key], value_node, origin, f"{where}.{key}" if where else key)
    for name, field in fields.items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and name not in values:
            _fail(origin, node, where, f"key '{name}' is missing; expected {_keys_of(cls)}")
    try:
        return cls(**values)
    except ConfigError as error:
        _fail(origin, node, where, str(error))


def _build_scalar(expected: Any, node: yaml.Node, origin: str, where: str) -> Any:
    if typing.get_origin(expected) is typing.Literal:
        options = typing.get_args(expected)
        if isinstance(node, yaml.ScalarNode) and node.value in options:
            return node.value
        found = str(getattr(node, "value", ""))
        _fail(
            origin, node, where, f"expected one of {list(options)}, found {_describe(node)}; {nearest(found, options)}"
        )
    value = _constructed(node) if isinstance(node, yaml.ScalarNode) else node
    if expected is float and isinstance(value, int) and not isinstance(value, bool):
        if abs(value) > sys.float_info.max:
            _fail(origin, node, where, f"expected float, found a number of {len(node.value)} digits")
        value = float(value)
    if not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
        _fail(origin, node, where, f"expected {expected.__name__}, found {_describe(node)}")
    return value


def _constructed(node: yaml.ScalarNode) -> Any:
    """What the scalar means to YAML; the node itself where it is none of what its tag or its look says."""
    try:
        return yaml.SafeLoader("").construct_object(node, deep=True)
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, OverflowError):
        return node  # PyYAML's errors, and Python's where it checks nothing


def _describe(node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode):
        return f"'{node.value}' ({node.tag.rsplit(':', 1)[-1]})"
    return "a list" if isinstance(node, yaml.SequenceNode) else "a mapping"
