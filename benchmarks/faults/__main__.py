"""`python -m benchmarks.faults`: what fails, how soon the robot stands, and whether it stays so (`make bench-faults`).

`--part soak` (or any other) runs by itself and leaves what the result file says about the others.
"""

from __future__ import annotations

import math
import os
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import tyro

from benchmarks.faults.hostile import run_messages, run_parameters, run_specs
from benchmarks.faults.lifecycle import run_lifecycle
from benchmarks.faults.matrix import run_matrix
from benchmarks.faults.processes import Ending, run_deaths, run_signals
from benchmarks.faults.resumes import A_PERIOD_DEGREES, run_resumes
from benchmarks.faults.rig import small_checkpoint
from benchmarks.faults.soak import run_soak
from benchmarks.parts import write_part
from dvf_ros.core.results import Bar

Part = Literal["matrix", "deaths", "resumes", "signals", "lifecycle", "hostile", "soak"]
MEMORY_MB = 20.0


@dataclass(frozen=True)
class Faults:
    """Measure what the controller and the gate do when something fails."""

    part: tuple[Part, ...] = ("matrix", "deaths", "resumes", "signals", "lifecycle", "hostile", "soak")
    """Which parts; what the result file says about the others stays."""
    quick: bool = False
    """The short form: each thing once or twice, the soak for 20 s."""
    result: Path = Path("results/faults.json")
    """Where the figures go."""


def main(args: Faults) -> int:
    """Run the parts; status 1 if a bar fails."""
    command = shlex.join(["python", "-m", "benchmarks.faults", *sys.argv[1:]])
    holds = True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        checkpoint = small_checkpoint(folder)
        parts: dict[Part, Callable[[], tuple[dict[str, object], list[Bar]]]] = {
            "matrix": lambda: matrix(checkpoint, folder, 1 if args.quick else 3),
            "deaths": lambda: deaths(checkpoint, folder, 2 if args.quick else 30),
            "resumes": lambda: resumes(checkpoint, folder, 1 if args.quick else 10),
            "signals": lambda: signals(checkpoint, folder, 2 if args.quick else 6),
            "lifecycle": lambda: lifecycle(checkpoint, folder, 10 if args.quick else 100),
            "hostile": lambda: hostile(checkpoint, folder, 100 if args.quick else 1000),
            "soak": lambda: soak(folder, 20.0 if args.quick else 1800.0),
        }
        for part in args.part:
            print(f"== {part}", flush=True)
            figures, bars = parts[part]()
            # After each part: an hour of measuring should not be lost to the part after it.
            holds &= write_part(args.result, part, figures | {"scheduling": _scheduling()}, bars, [0], command)
            for bar in bars:
                print(f"{'ok  ' if bar.holds else 'FAIL'} {bar.name}: {bar.value:g} {bar.op} {bar.bar:g}", flush=True)
    return 0 if holds else 1


def matrix(checkpoint: Path, folder: Path, repeats: int) -> tuple[dict[str, object], list[Bar]]:
    """The fault matrix."""
    trials = run_matrix(checkpoint, folder / "matrix", repeats=repeats)
    kinds = {
        kind: {
            "stopped_s": _worst(t.stopped for t in trials if t.fault == kind),
            "bound_s": next(t.bound for t in trials if t.fault == kind),
            "told_s": _worst(t.told for t in trials if t.fault == kind),
            "resumed_degrees": _worst(t.degrees for t in trials if t.fault == kind),
        }
        for kind in dict.fromkeys(t.fault for t in trials)
    }
    bars = [
        Bar(
            "fault matrix: share of faults answered in every way", sum(t.passed for t in trials) / len(trials), "==", 1
        ),
        Bar("fault matrix: unsafe messages on the wire", sum(t.unsafe for t in trials), "==", 0),
        Bar("fault matrix: motion while the fault lasts", sum(t.resumed_unasked for t in trials), "==", 0),
        Bar("fault matrix: s until the reason is on /diagnostics", _worst(t.told for t in trials), "<=", 1.5),
    ]
    return {"trials": len(trials), "passed": sum(t.passed for t in trials), "worst": kinds}, bars


def deaths(checkpoint: Path, folder: Path, repeats: int) -> tuple[dict[str, object], list[Bar]]:
    """SIGKILL and SIGSTOP at full speed."""
    endings = run_deaths(checkpoint, folder / "deaths", repeats)
    bars = [
        Bar(
            "SIGKILL and SIGSTOP: s until the gate has stopped the robot", _worst(e.stopped for e in endings), "<=", 0.2
        ),
        Bar("restart: degrees of the first target from the measured pose", _worst(e.degrees for e in endings), "<=", 1),
    ]
    return _endings(endings), bars


def resumes(checkpoint: Path, folder: Path, repeats: int) -> tuple[dict[str, object], list[Bar]]:
    """Stopped, moved by hand, and let go again."""
    found = run_resumes(checkpoint, folder / "resumes", repeats)
    holding, moving = (
        {
            kind: _worst(getattr(r, name) for r in found if r.after == kind)
            for kind in dict.fromkeys(r.after for r in found)
        }
        for name in ("degrees", "moving_degrees")
    )
    where = "from the measured pose"
    bars = [
        Bar(f"let go: degrees of the first targets, which hold, {where}", _worst(holding.values()), "<=", 1),
        Bar(f"let go: degrees of the first that moves, {where}", _worst(moving.values()), "<=", A_PERIOD_DEGREES),
    ]
    return {"times": repeats, "degrees": holding, "moving_degrees": moving}, bars


def signals(checkpoint: Path, folder: Path, repeats: int) -> tuple[dict[str, object], list[Bar]]:
    """SIGTERM and SIGINT."""
    endings = run_signals(checkpoint, folder / "signals", repeats)
    bars = [
        Bar("SIGTERM and SIGINT: s until a stop is sent", _worst(e.stopped for e in endings), "<=", 1),
        Bar("SIGTERM and SIGINT: s until the process ends", _worst(e.ended for e in endings), "<=", 5),
        Bar("SIGTERM and SIGINT: exit statuses other than 0", sum(e.status != 0 for e in endings), "==", 0),
    ]
    return _endings(endings), bars


def lifecycle(checkpoint: Path, folder: Path, cycles: int) -> tuple[dict[str, object], list[Bar]]:
    """Configure to cleanup, over and over."""
    before, after = run_lifecycle(checkpoint, folder / "lifecycle", cycles)
    bars = [
        Bar(f"lifecycle: {name} gained", getattr(after, name) - getattr(before, name), "<=", 0)
        for name in ("threads", "files", "entities")
    ]
    bars.append(Bar("lifecycle: MB gained", after.memory - before.memory, "<=", 5))
    return {"cycles": cycles, "before": asdict(before), "after": asdict(after)}, bars


def hostile(checkpoint: Path, folder: Path, examples: int) -> tuple[dict[str, object], list[Bar]]:
    """Random specs, parameters and messages; a crash or a motion raises."""
    refused, taken = run_specs(examples)
    figures = {
        "specs_refused": refused,
        "specs_taken": taken,
        "parameter_sets_refused": run_parameters(examples // 2),
        "commands_that_stood_still": run_messages(checkpoint, folder / "hostile", examples // 4),
    }
    # A crash or a motion has raised by now: what is left to say is that each of these was really met.
    names = {name: f"hostile input: {name.replace('_', ' ')}" for name in figures}
    return {"examples": examples, **figures}, [Bar(names[name], count, ">=", 20) for name, count in figures.items()]


def soak(folder: Path, seconds: float) -> tuple[dict[str, object], list[Bar]]:
    """The shipped checkpoint at its rate, beside a busy core."""
    figures = run_soak(folder / "soak", seconds)
    bars = [
        Bar("soak: s", figures["seconds"], ">=", seconds),
        Bar("soak: period p99, ms", figures["period_p99_ms"], "<=", 55),
        Bar("soak: period p1, ms", figures["period_p01_ms"], ">=", 45),
        Bar("soak: share of missed deadlines", figures["miss_share"], "<=", 0.001),
        Bar("soak: missed deadlines in a row", figures["misses_in_a_row"], "<=", 1),
        Bar("soak: MB gained", figures["memory_growth_mb"], "<", MEMORY_MB),
    ]
    return dict(figures), bars


def _scheduling() -> str:
    """How the processes of the benchmark stand against others of the machine."""
    return f"nice {os.nice(0)}" if os.sched_getscheduler(0) == os.SCHED_OTHER else "real-time"


def _endings(endings: Sequence[Ending]) -> dict[str, object]:
    return {
        kind: {
            "times": sum(e.signal == kind for e in endings),
            "stopped_s": _worst(e.stopped for e in endings if e.signal == kind),
            "ended_s": _worst(e.ended for e in endings if e.signal == kind),
            "degrees": _worst(e.degrees for e in endings if e.signal == kind),
        }
        for kind in dict.fromkeys(e.signal for e in endings)
    }


def _worst(values: Iterable[float]) -> float:
    """The largest, NaN where one is: what never happened meets no bar."""
    found = [float(value) for value in values]
    return math.nan if any(map(math.isnan, found)) else max(found)


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Faults, prog="python -m benchmarks.faults")))
