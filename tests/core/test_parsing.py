"""YAML into dataclasses: what is wrong is named with file, line, what was expected and the nearest known word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pytest

from dvf_ros.core.parsing import ConfigError, nearest, parse


@dataclass(frozen=True)
class Inner:
    size: int
    kind: Literal["small", "large"] = "small"

    def __post_init__(self) -> None:
        if self.size < 0:
            raise ConfigError(f"expected a size of at least 0, found {self.size}")


@dataclass(frozen=True)
class Outer:
    name: str
    scale: float = 1.0
    on: bool = False
    parts: tuple[Inner, ...] = ()
    maybe: Inner | None = None


def test_all_kinds_of_values() -> None:
    text = "name: x\nscale: 2\non: true\nparts: [{size: 1}, {size: 2, kind: large}]\nmaybe: {size: 3}"
    assert parse(Outer, text, "f") == Outer("x", 2.0, True, (Inner(1), Inner(2, "large")), Inner(3))
    assert isinstance(parse(Outer, text, "f").scale, float)
    assert parse(Outer, "name: x\nmaybe: null", "f").maybe is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "f.yaml: expected a mapping of name, scale, on, parts, maybe, found an empty text"),
        ("[1]", "f.yaml:1: expected a mapping of name, scale, on, parts, maybe, found a list"),
        ("name: {", "f.yaml: not valid YAML"),
        ("scale: 1", "f.yaml:1: key 'name' is missing"),
        ("name: x\nscal: 1", "f.yaml:2: unknown key 'scal'; did you mean 'scale'?"),
        ("name: x\nname: y", "f.yaml:2: key 'name' stands twice"),
        ("name: 3", "f.yaml:1: at 'name' expected str, found '3' (int)"),
        ("name: x\nscale: fast", "f.yaml:2: at 'scale' expected float, found 'fast' (str)"),
        ("name: x\nscale: true", "f.yaml:2: at 'scale' expected float"),
        ("name: x\non: 1", "f.yaml:2: at 'on' expected bool"),
        ("name: 2024-02-30", "f.yaml:1: at 'name' expected str, found '2024-02-30' (timestamp)"),
        ("name: 2024-02-03", "f.yaml:1: at 'name' expected str, found '2024-02-03' (timestamp)"),
        ("name: x\nscale: !foo 3", "f.yaml:2: at 'scale' expected float, found '3' (!foo)"),
        ("name: x\nscale: =", "f.yaml:2: at 'scale' expected float, found '=' (value)"),
        ("name: x\nscale: !!float slow", "f.yaml:2: at 'scale' expected float, found 'slow' (float)"),
        ("name: x\non: !!bool maybe", "f.yaml:2: at 'on' expected bool, found 'maybe' (bool)"),
        ("name: !!timestamp now", "f.yaml:1: at 'name' expected str, found 'now' (timestamp)"),
        ("name: x\nparts:\n- size: !!int ''", "f.yaml:3: at 'parts[0].size' expected int, found '' (int)"),
        ("name: x\nscale: 1" + "0" * 400, "f.yaml:2: at 'scale' expected float, found a number of 401 digits"),
        ("name: x\nscale: 1" + ":59" * 400 + ".5", "f.yaml:2: at 'scale' expected float, found '1:59:59"),
        ("[" * 3000, "f.yaml: not valid YAML: maximum recursion depth"),
        ("name: x\nparts: {size: 1}", "f.yaml:2: at 'parts' expected a list, found a mapping"),
        ("name: x\nparts:\n- size: 1\n- size: 1.5", "f.yaml:4: at 'parts[1].size' expected int"),
        (
            "name: x\nparts:\n- {size: 1, kind: smal}",
            "expected one of ['small', 'large'], found 'smal' (str); did",
        ),
        ("name: x\nmaybe:\n  size: -1", "f.yaml:3: at 'maybe' expected a size of at least 0, found -1"),
    ],
)
def test_errors_name_place_and_way_out(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse(Outer, text, "f.yaml")
    assert said in str(error.value)


def test_nearest_lists_all_where_none_is_close() -> None:
    assert nearest("positon", ["position", "velocity"]) == "did you mean 'position'?"
    assert nearest("zzz", ["b", "a"]) == "known: a, b"
    assert nearest("zzz", []) == "known: none"
