"""Kinds of launch arguments: each is checked where it is declared, before anything starts."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from launch import LaunchContext
from launch.actions import DeclareLaunchArgument
from launch.some_substitutions_type import SomeSubstitutionsType
from launch.substitutions import EqualsSubstitution, LaunchConfiguration

SPELLINGS = ("true", "false", "True", "False", "1", "0")
"""What launch itself takes for a truth value, and what a switch may be."""

LOG_LEVELS = ("debug", "info", "warn", "error", "fatal")


class CheckedArgument(DeclareLaunchArgument):
    """An argument of which `check` says what is wrong with its value; an empty text lets it pass."""

    def __init__(
        self, name: str, default: SomeSubstitutionsType, description: str, check: Callable[[str], str]
    ) -> None:
        super().__init__(name, default_value=default, description=description)
        self._check = check

    def execute(self, context: LaunchContext) -> None:
        """Declare it; raises ValueError naming the argument, what is expected and what was found."""
        super().execute(context)
        if problem := self._check(context.launch_configurations[self.name]):
            raise ValueError(f"{self.name}: {problem}")


def switch(name: str, default: bool, description: str) -> DeclareLaunchArgument:
    """An argument that is on or off; read it by `is_on`, which knows every spelling."""
    return DeclareLaunchArgument(name, default_value=str(default).lower(), choices=SPELLINGS, description=description)


def is_on(name: str) -> EqualsSubstitution:
    """`true` or `false`, however the switch of this name is spelt."""
    return EqualsSubstitution(LaunchConfiguration(name), "true")


def number(name: str, kind: type[int] | type[float], default: str, description: str) -> DeclareLaunchArgument:
    """An argument that counts or measures something; whether it is too large is for the node that takes it to say."""
    words = "a whole number" if kind is int else "a number"

    def check(text: str) -> str:
        try:
            fits = math.isfinite(value := kind(text)) and value >= 0
        except ValueError:
            fits = False
        return "" if fits else f"expected {words} of at least 0, found '{text}'"

    return CheckedArgument(name, default, description, check)


def yaml_file(name: str, default: SomeSubstitutionsType, description: str) -> DeclareLaunchArgument:
    """An argument that names a file. ROS would go on without one that is not there, on defaults."""

    def check(text: str) -> str:
        path = Path(text).absolute()
        if path.is_file():
            return ""
        return f"expected a YAML file, found {'a folder' if path.is_dir() else 'nothing'} at '{path}'"

    return CheckedArgument(name, default, description, check)
