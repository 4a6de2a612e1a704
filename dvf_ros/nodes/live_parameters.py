"""Parameters that may change while the node runs: a set is taken over whole, or rejected whole with the reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rcl_interfaces.msg import SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter


def follow_changes(
    node: Node, check: Callable[[dict[str, Any]], None], apply: Callable[[dict[str, Any]], None]
) -> None:
    """Have `check(changes)` judge every set of parameters, and `apply(changes)` take over what was accepted.

    `check` raises ValueError, whose text is the reason that the caller gets. Types, ranges and read-only parameters
    are rejected by rclpy before.
    """

    def judge(parameters: list[Parameter]) -> SetParametersResult:
        if any(parameter.value is None for parameter in parameters):
            return SetParametersResult(successful=False, reason="expected a value; a parameter cannot be taken away")
        try:
            check(_values(parameters))
        except ValueError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    node.add_on_set_parameters_callback(judge)
    node.add_post_set_parameters_callback(lambda parameters: apply(_values(parameters)))


def _values(parameters: list[Parameter]) -> dict[str, Any]:
    return {parameter.name: parameter.value for parameter in parameters}
