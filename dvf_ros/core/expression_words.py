"""The words of a reward: Python's operators that it knows, by the operation that each stands for, and its functions."""

from __future__ import annotations

import ast

ARITHMETIC: dict[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "subtract",
    ast.Mult: "multiply",
    ast.Div: "divide",
    ast.Pow: "power",
}
COMPARISONS: dict[type[ast.cmpop], tuple[str, bool]] = {
    ast.Lt: ("less", False),
    ast.LtE: ("at_most", False),
    ast.Gt: ("less", True),
    ast.GtE: ("at_most", True),
}
"""(operation, whether its sides change places)."""

ARGUMENTS = {
    "abs": "number",
    "exp": "number",
    "sqrt": "number",
    "min": "number, number, …",
    "max": "number, number, …",
    "clip": "number, lowest, highest",
    "where": "condition, number, number",
    "norm": "vector",
    "distance": "vector, vector",
    "angle": "quaternion, quaternion",
}
"""What the functions take; `angle` is the rotation (rad) between two orientations."""
