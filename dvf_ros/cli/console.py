"""Where commands speak: a console whose reader may leave before the work is done."""

from __future__ import annotations

import os
import sys

import rich.console


class Console(rich.console.Console):
    """rich's, which would end the command, work and all, once nobody reads it any more: `dvf train … | head`."""

    def on_broken_pipe(self) -> None:
        """Fall silent."""
        self.quiet = True
        silence_stdout()


def silence_stdout() -> None:
    """Send what is still to be said to nobody: Python would complain of a closed pipe at the end."""
    nobody = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nobody, sys.stdout.fileno())
    os.close(nobody)
