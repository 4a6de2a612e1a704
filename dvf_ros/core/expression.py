"""Rewards that people write: arithmetic, comparisons and a few functions over the named fields of the state.

Python's own parser reads the text, and every node of its tree is checked here, one by one; nothing is ever run as
Python. What comes out is a list of at most MOST_STEPS steps, each of which computes one number from those before it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

LARGEST = float(np.finfo(np.float32).max)
"""Of a constant: torch refuses to choose between float32 numbers and one beyond their range."""

MOST_STEPS = 4000
"""A reward is computed for every future of every candidate; a norm of n numbers takes 3 n steps."""

# `library` is numpy or torch: what arrays cannot do by an operator is found under the same name in both.
OPERATIONS: dict[str, Callable[..., Any]] = {
    "add": lambda library, a, b: a + b,
    "subtract": lambda library, a, b: a - b,
    "multiply": lambda library, a, b: a * b,
    "divide": lambda library, a, b: a / b,
    "power": lambda library, a, b: a**b,
    "negate": lambda library, a: -a,
    "abs": lambda library, a: abs(a),
    "exp": lambda library, a: library.exp(a),
    "sqrt": lambda library, a: library.sqrt(a),
    "arccos": lambda library, a: library.arccos(a),
    # A comparison is 1.0 or 0.0, so that truths can be added and averaged like any reward.
    "less": lambda library, a, b: (a < b) * 1.0,
    "at_most": lambda library, a, b: (a <= b) * 1.0,
    "and": lambda library, a, b: a * b,
    "or": lambda library, a, b: a + b - a * b,
    "not": lambda library, a: 1.0 - a,
    # The second condition keeps NaN: a division by zero must not be hidden.
    "min": lambda library, a, b: library.where((a < b) | (a != a), a, b),
    "max": lambda library, a, b: library.where((a > b) | (a != a), a, b),
    "where": lambda library, condition, a, b: library.where(condition > 0.5, a, b),
}


class ExpressionError(ValueError):
    """A text that is no reward; says in which column, what was expected and which known word is nearest."""


@dataclass(frozen=True)
class Step:
    """One number: a constant `value`, the state's element `index`, or an operation on earlier steps (`inputs`)."""

    operation: str
    inputs: tuple[int, ...] = ()
    value: float = 0.0
    index: int = 0


@dataclass(frozen=True)
class Expression:
    """A reward of one state; made by `expression_parsing.parse_expression`.

    `result` is the place of the step that holds the reward, `fields` are the state's fields that it reads,
    `is_condition` says whether it is 1 where something holds and 0 elsewhere.
    """

    text: str
    steps: tuple[Step, ...]
    result: int
    fields: tuple[str, ...]
    is_condition: bool

    def evaluate(self, states: Any, library: Any = np) -> Any:
        """Rewards (...) of states (..., D) in the spec's units; `library` is torch where they are tensors.

        Where the expression has no value (a division by zero, the root of a negative number) it is NaN or Inf.
        """
        values: list[Any] = []
        with np.errstate(all="ignore"):
            for step in self.steps:
                if step.operation == "constant":
                    values.append(step.value)
                elif step.operation == "element":
                    values.append(states[..., step.index])
                else:
                    values.append(OPERATIONS[step.operation](library, *(values[i] for i in step.inputs)))
        return values[self.result]

    @property
    def meaning(self) -> str:
        """What it rewards, in words."""
        says = f"1 while {self.text}, else 0" if self.is_condition else f"the number {self.text}"
        return f"{says} (reads {', '.join(self.fields)})"


class Program:
    """Steps under construction: constants are computed at once, and the same step twice is one step."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._known: dict[Step, int] = {}

    def is_constant(self, place: int) -> bool:
        """Whether the number there is known already."""
        return self.steps[place].operation == "constant"

    def note(self, step: Step) -> int:
        """The place of a step; raises ArithmeticError if there are too many."""
        if step not in self._known:
            if len(self.steps) == MOST_STEPS:
                raise ArithmeticError(f"expected a reward of at most {MOST_STEPS} operations on single numbers")
            self._known[step] = len(self.steps)
            self.steps.append(step)
        return self._known[step]

    def constant(self, value: float) -> int:
        """The place of a number; raises ArithmeticError if it is not finite as the float32 that states are."""
        if not abs(value) <= LARGEST:
            raise ArithmeticError(f"expected a finite number that float32 holds, found {value}")
        return self.note(Step("constant", value=value))

    def operation(self, name: str, *inputs: int) -> int:
        """The place of an operation's result; raises ArithmeticError as `constant` does."""
        if not all(self.is_constant(place) for place in inputs):
            return self.note(Step(name, inputs))
        with np.errstate(all="ignore"):
            return self.constant(float(OPERATIONS[name](np, *(np.float64(self.steps[i].value) for i in inputs))))

    def chain(self, name: str, places: Sequence[int]) -> int:
        """The operation applied to all of them, from the left: a + b + c."""
        first, *others = places
        for other in others:
            first = self.operation(name, first, other)
        return first

    def dot(self, first: Sequence[int], second: Sequence[int]) -> int:
        """The sum of the products of two vectors of one size."""
        return self.chain("add", [self.operation("multiply", *pair) for pair in zip(first, second, strict=True)])
