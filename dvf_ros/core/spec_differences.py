"""Where two robot specs differ in what their digests are made of: the keys, and what either says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from dvf_ros.core.spec import RobotSpec, Source

SHOWN = 3
COUNTING = ("robot", "task", "rate", "state", "action")


def differences(first: RobotSpec, second: RobotSpec, said: tuple[str, str]) -> str:
    """The first keys in which two specs of unlike digest differ; `said` comes before what either says.

    With ("trained with", "here") it reads: rate: trained with 20.0, here 10.0.
    """
    found = [
        f"{key}: {said[0]} {one}, {said[1]} {other}"
        for name in COUNTING
        for key, one, other in _differing(name, getattr(first, name), getattr(second, name))
    ]
    more = [f"and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
    return "; ".join([*found[:SHOWN], *more])


def _differing(key: str, first: Any, second: Any) -> Iterator[tuple[str, str, str]]:
    """(key, what the first says, what the second says) of every difference at or below `key`."""
    if is_dataclass(first):
        for part in fields(first):
            # Of a field's keys those that do not show in repr say nothing about data, and are no part of the digest.
            if part.repr or isinstance(first, Source):
                yield from _differing(f"{key}.{part.name}", getattr(first, part.name), getattr(second, part.name))
    elif isinstance(first, tuple) and any(map(is_dataclass, (*first, *second))):
        if len(first) == len(second):
            for place, (one, other) in enumerate(zip(first, second, strict=True)):
                yield from _differing(f"{key}[{place}]", one, other)
        else:
            yield key, _names(first), _names(second)
    elif _words(first) != _words(second):
        yield key, _words(first), _words(second)


def _names(parts: tuple[Any, ...]) -> str:
    """Topics by their keys, fields by their names."""
    return f"[{', '.join(part.key if isinstance(part, Source) else part.name for part in parts)}]"


def _words(value: Any) -> str:
    return str(list(value)) if isinstance(value, tuple) else repr(value)
