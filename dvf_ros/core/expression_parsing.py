"""From the text of a reward to its steps: `distance(cube_position, [0.1, 0, 0.83]) < 0.05 and gripper_width > 0.02`.

A value is a number, a condition, a vector (a field of several numbers, or a list) or a quaternion field. Elements are
taken by name or place: `cube_position.z`, `joint_position.panda_joint1`, `joint_position[0]`.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Literal, NoReturn

from dvf_ros.core.expression import Expression, ExpressionError, Program, Step
from dvf_ros.core.expression_words import ARGUMENTS, ARITHMETIC, COMPARISONS
from dvf_ros.core.fields import AXES, Field
from dvf_ros.core.parsing import nearest
from dvf_ros.core.spec import RobotSpec

LONGEST_TEXT = 1000
DEEPEST = 50
"""Nested operations in one text; Python's own stack ends not far beyond."""


@dataclass(frozen=True)
class _Value:
    """Places of the steps that hold its numbers, and a name for each."""

    kind: Literal["number", "condition", "vector", "quaternion"]
    parts: tuple[int, ...]
    names: tuple[str, ...] = ()


def parse_expression(text: str, spec: RobotSpec) -> Expression:
    """Read a reward over the state fields of `spec`; raises ExpressionError."""
    text = " ".join(text.split())
    if not text:
        raise ExpressionError("expected a reward such as 'distance(position, [1, 0, 0]) < 0.1', found an empty text")
    if len(text) > LONGEST_TEXT:
        raise ExpressionError(f"expected at most {LONGEST_TEXT} characters, found {len(text)}")
    if "#" in text:  # lines are joined: a comment would swallow those after it
        raise ExpressionError(f"column {text.index('#') + 1}: expected no comment, found '#'")
    try:
        tree = ast.parse(text, mode="eval")
    except SyntaxError as error:
        words = [word for sign, word in {"&&": "and", "||": "or"}.items() if sign in text]
        hint = f"; write {' and '.join(map(repr, words))}" if words else ""
        raise ExpressionError(f"column {error.offset or len(text)}: {error.msg}{hint}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise ExpressionError(f"cannot be read ({error}); write a shorter text without control characters") from error
    return _Parser(text, spec).parse(tree.body)


class _Parser:
    """Walks the tree and notes a step for every number that has to be computed."""

    def __init__(self, text: str, spec: RobotSpec) -> None:
        self._text = text
        items = [item for source in spec.state for item in source.fields]
        self._fields: dict[str, tuple[Field, int]] = {
            piece.name: (item, piece.start) for item, piece in zip(items, spec.state_layout, strict=True)
        }
        self._program = Program()
        self._used: dict[str, None] = {}
        self._depth = 0

    def parse(self, tree: ast.expr) -> Expression:
        value = self._value(tree)
        if len(value.parts) > 1:
            self._fail(
                tree, f"expected one number, found {_found(value)}; take an element, norm(…), distance(…) or angle(…)"
            )
        if self._program.is_constant(value.parts[0]):
            found = f"{self._program.steps[value.parts[0]].value:g}; the state has: {', '.join(sorted(self._fields))}"
            self._fail(tree, f"expected something that depends on the state, found {found}")
        return Expression(
            self._text, tuple(self._program.steps), value.parts[0], tuple(self._used), value.kind == "condition"
        )

    def _value(self, node: ast.expr) -> _Value:
        self._depth += 1
        if self._depth > DEEPEST:
            self._fail(node, f"expected at most {DEEPEST} nested operations")
        try:
            value = self._visit(node)
        except ArithmeticError as error:
            self._fail(node, str(error))
        self._depth -= 1
        return value

    def _visit(self, node: ast.expr) -> _Value:
        match node:
            case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
                return _Value("number", (self._program.constant(_float(number)),))
            case ast.Name(id=name):
                return self._field(node, name)
            case ast.Attribute() if (name := _dotted(node)) in self._fields:  # LeRobot's: shoulder_pan.pos
                return self._field(node, name)
            case ast.Attribute(value=whole, attr=part):
                return self._element(node, self._value(whole), part)
            case ast.Subscript(value=whole, slice=ast.Constant(value=int() as place)) if not isinstance(place, bool):
                return self._element(node, self._value(whole), place)
            case ast.List(elts=elements) | ast.Tuple(elts=elements):
                if len(elements) < 2:
                    self._fail(node, "expected a vector of at least two numbers")
                numbers = tuple(self._number(element) for element in elements)
                return _Value("vector", numbers, AXES["vector"] if len(numbers) == 3 else ())
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return _Value("condition", (self._program.operation("not", self._condition(operand)),))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                positive = self._arithmetic(operand)
                parts = tuple(self._program.operation("negate", part) for part in positive.parts)
                return _Value("vector" if len(parts) > 1 else "number", parts, positive.names)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self._arithmetic(operand)
            case ast.BinOp():
                return self._binary(node)
            case ast.Compare():
                return self._comparison(node)
            case ast.BoolOp(op=op, values=operands):
                name = "and" if isinstance(op, ast.And) else "or"
                return _Value("condition", (self._program.chain(name, [self._condition(item) for item in operands]),))
            case ast.Call():
                return self._call(node)
            case _:
                allowed = "numbers, fields, + - * / **, comparisons, and, or, not, and " + ", ".join(ARGUMENTS)
                self._fail(node, f"'{self._source(node)}' is not allowed here; allowed: {allowed}")

    def _field(self, node: ast.expr, name: str) -> _Value:
        if name in ARGUMENTS and name not in self._fields:
            self._fail(node, f"'{name}' is a function; write {name}({ARGUMENTS[name]})")
        if name not in self._fields:
            self._fail(node, f"the state has no field '{name}'; {nearest(name, self._fields)}")
        item, start = self._fields[name]
        self._used[name] = None
        parts = tuple(self._program.note(Step("element", index=start + i)) for i in range(item.size))
        names = () if item.kind == "scalar" else tuple(full.removeprefix(f"{name}.") for full in item.element_names)
        if item.kind == "quaternion":
            return _Value("quaternion", parts, names)
        return _Value("vector" if item.size > 1 else "number", parts, names)

    def _element(self, node: ast.expr, whole: _Value, part: str | int) -> _Value:
        """One number of a vector, by the name of its element or by its place from 0 on."""
        if len(whole.parts) == 1 and not whole.names:
            self._fail(node, f"expected a vector before '{part}', found {_found(whole)}")
        if isinstance(part, str):
            if part not in whole.names:
                self._fail(node, f"expected one of its elements, found '{part}'; {nearest(part, whole.names)}")
            part = whole.names.index(part)
        elif not 0 <= part < len(whole.parts):
            self._fail(node, f"expected a place from 0 to {len(whole.parts) - 1}, found {part}")
        return _Value("number", (whole.parts[part],))

    def _binary(self, node: ast.BinOp) -> _Value:
        operation = ARITHMETIC.get(type(node.op))
        if operation is None:
            self._fail(node, f"expected + - * / or **, found '{self._source(node)}'")
        left, right = self._arithmetic(node.left), self._arithmetic(node.right)
        sizes = len(left.parts), len(right.parts)
        if operation == "power" and (sizes != (1, 1) or not self._program.is_constant(right.parts[0])):
            self._fail(node, "expected a number to the power of a constant")
        if operation in ("add", "subtract") and sizes[0] != sizes[1]:
            self._fail(node, f"expected as many numbers on both sides, found {_found(left)} and {_found(right)}")
        if (operation == "multiply" and min(sizes) > 1) or (operation == "divide" and sizes[1] > 1):
            self._fail(node, f"expected a number on one side, found {_found(left)} and {_found(right)}")
        count = max(sizes)
        pairs = zip(left.parts * (count // sizes[0]), right.parts * (count // sizes[1]), strict=True)
        parts = tuple(self._program.operation(operation, *pair) for pair in pairs)
        longest = [side.names for side in (left, right) if len(side.parts) == count]
        names = next(filter(None, longest), ())
        return _Value("vector" if count > 1 else "number", parts, names)

    def _comparison(self, node: ast.Compare) -> _Value:
        sides = [self._number(side) for side in (node.left, *node.comparators)]
        truths = []
        for op, left, right in zip(node.ops, sides, sides[1:], strict=False):
            if type(op) not in COMPARISONS:
                self._fail(node, "expected <, <=, > or >=; measured numbers are never equal: write abs(a - b) < 0.01")
            operation, swapped = COMPARISONS[type(op)]
            truths.append(self._program.operation(operation, *((right, left) if swapped else (left, right))))
        return _Value("condition", (self._program.chain("and", truths),))

    def _call(self, node: ast.Call) -> _Value:
        name = node.func.id if isinstance(node.func, ast.Name) else self._source(node.func)
        if name not in ARGUMENTS:
            self._fail(node, f"unknown function '{name}'; {nearest(name, ARGUMENTS)}")
        kinds = ARGUMENTS[name].split(", ")
        several = kinds[-1] == "…"
        fits = len(node.args) >= 2 if several else len(node.args) == len(kinds)
        if node.keywords or not fits:
            self._fail(node, f"expected {name}({ARGUMENTS[name]}), found {len(node.args)} arguments")
        kinds = ["number"] * len(node.args) if several else kinds
        match name:
            case "norm" | "distance":
                part = self._norm(node, [self._arithmetic(argument) for argument in node.args])
            case "angle":
                part = self._angle(node)
            case _:
                numbers = [
                    self._condition(argument) if kind == "condition" else self._number(argument)
                    for kind, argument in zip(kinds, node.args, strict=True)
                ]
                part = self._function(node, name, numbers)
        return _Value("number", (part,))

    def _function(self, node: ast.expr, name: str, numbers: list[int]) -> int:
        if name in ("min", "max"):
            return self._program.chain(name, numbers)
        if name == "clip":
            return self._program.operation("min", self._program.operation("max", numbers[0], numbers[1]), numbers[2])
        if name == "where" and self._program.is_constant(numbers[0]):  # torch chooses by tensors only
            return numbers[1] if self._program.steps[numbers[0]].value > 0.5 else numbers[2]
        return self._program.operation(name, *numbers)

    def _norm(self, node: ast.expr, vectors: list[_Value]) -> int:
        """Length of a vector, or of the difference of two."""
        first, last = vectors[0], vectors[-1]
        if min(len(item.parts) for item in vectors) < 2 or len(first.parts) != len(last.parts):
            found = " and ".join(_found(item) for item in vectors)
            self._fail(node, f"expected {'vectors of one size' if len(vectors) > 1 else 'a vector'}, found {found}")
        parts = first.parts
        if len(vectors) > 1:
            parts = tuple(self._program.operation("subtract", *pair) for pair in zip(parts, last.parts, strict=True))
        return self._program.operation("sqrt", self._program.dot(parts, parts))

    def _angle(self, node: ast.Call) -> int:
        """The angle (rad) of the rotation between two orientations; q and -q are one."""
        first, second = (self._value(argument) for argument in node.args)
        if {len(first.parts), len(second.parts)} != {4} or "quaternion" not in (first.kind, second.kind):
            self._fail(node, f"expected quaternions [x, y, z, w], found {_found(first)} and {_found(second)}")
        lengths = [
            self._program.operation("sqrt", self._program.dot(item.parts, item.parts)) for item in (first, second)
        ]
        dot = self._program.operation("abs", self._program.dot(first.parts, second.parts))
        cosine = self._program.operation("divide", dot, self._program.operation("multiply", *lengths))
        # Rounding may lead beyond 1, where there is no angle.
        half = self._program.operation("arccos", self._program.operation("min", cosine, self._program.constant(1.0)))
        return self._program.operation("multiply", half, self._program.constant(2.0))

    def _arithmetic(self, node: ast.expr) -> _Value:
        value = self._value(node)
        if value.kind == "quaternion":
            self._fail(node, "orientations cannot be added or scaled; write angle(a, b), or take an element such as .w")
        return value

    def _number(self, node: ast.expr) -> int:
        value = self._value(node)
        if len(value.parts) > 1:
            self._fail(node, f"expected one number, found {_found(value)}; take an element, or norm(…)")
        return value.parts[0]

    def _condition(self, node: ast.expr) -> int:
        value = self._value(node)
        if value.kind != "condition":
            self._fail(node, f"expected a condition such as 'a < b', found {_found(value)}")
        return value.parts[0]

    def _source(self, node: ast.expr) -> str:
        return ast.get_source_segment(self._text, node) or ""

    def _fail(self, node: ast.expr, message: str) -> NoReturn:
        before = self._text.encode()[: node.col_offset].decode()
        raise ExpressionError(f"column {len(before) + 1}: {message}")


def _dotted(node: ast.expr) -> str:
    """`a.b.c`, where it is a name with attributes; empty for anything else."""
    attributes: list[str] = []
    while isinstance(node, ast.Attribute):
        attributes.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(attributes)]) if isinstance(node, ast.Name) else ""


def _found(value: _Value) -> str:
    return {"number": "one number", "condition": "a condition", "quaternion": "a quaternion"}.get(
        value.kind, f"a vector of {len(value.parts)}"
    )


def _float(number: int | float) -> float:
    try:
        return float(number)
    except OverflowError:  # an int of hundreds of digits
        return float("inf")
