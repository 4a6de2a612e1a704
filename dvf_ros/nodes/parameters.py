"""Declare parameters that describe themselves: every one has a text, and a range or a list of what is allowed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node

from dvf_ros.core.parsing import nearest

DECLARED_LATER = ("diagnostic_updater.", "qos_overrides.")
"""Parameters of the libraries, by how their names begin; `use_sim_time` is there from the start."""

_problems: ContextVar[dict[str, str] | None] = ContextVar("problems", default=None)
"""What is wrong, by the parameters' names."""


@contextmanager
def told_together(node: Node) -> Iterator[None]:
    """Declare within it all parameters of `node`, whatever is wrong with some.

    At its end one ValueError names every problem, parameters that were given and not declared among them: a name that
    is misspelt would leave its default in force, and nobody would know.
    """
    problems: dict[str, str] = {}
    token = _problems.set(problems)
    try:
        yield
    finally:
        _problems.reset(token)
    problems |= _undeclared(node, problems)
    if problems:
        raise ValueError("; ".join(problems.values()))


def _undeclared(node: Node, refused: Mapping[str, str]) -> dict[str, str]:
    # rclpy has no public way to ask for what was given (by -p or a parameter file) without declaring it.
    given = [name for name in node._parameter_overrides if not name.startswith(DECLARED_LATER)]
    known = {name for name in node._descriptors if not name.startswith(DECLARED_LATER)} | refused.keys()
    return {
        name: f"parameter '{name}': unknown to {node.get_fully_qualified_name()}; {nearest(name, known)}"
        for name in given
        if not node.has_parameter(name) and name not in refused
    }


def declare(
    node: Node,
    name: str,
    default: Any,
    description: str,
    *,
    low: float | None = None,
    high: float | None = None,
    options: Sequence[str] = (),
    read_only: bool = True,
) -> Any:
    """Declare a parameter and return its value.

    Raises ValueError naming the parameter, what is allowed and what was given, where a text is none of `options`;
    ranges are enforced by rclpy. Within `told_together` it raises nothing.
    """
    allowed = f"one of: {', '.join(options)}" if options else ""
    descriptor = ParameterDescriptor(description=description, read_only=read_only, additional_constraints=allowed)
    if low is not None and high is not None:
        if isinstance(default, float):
            descriptor.floating_point_range = [FloatingPointRange(from_value=float(low), to_value=float(high))]
        else:
            descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high))]
    try:
        value = node.declare_parameter(name, default, descriptor).value
        if value is None:  # a list without elements has no type in a parameter file
            value = []
        if options and value not in options:
            raise ValueError(f"parameter '{name}': expected {allowed}; found '{value}'")
    except (ValueError, InvalidParameterTypeException, InvalidParameterValueException) as error:
        problems = _problems.get()
        if problems is None:
            raise
        problems[name] = str(error)
        return default
    return value
