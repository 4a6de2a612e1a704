"""Figures on the pages are those that a committed result holds, and the table of bars says how many of them hold."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
# <!--demo:figures;success_rate-->0.98: the file, the way into it, and the figure as it is shown.
FIGURE = re.compile(r"<!--(\w+):([^>]+?)-->(-?[\d.]*\d)")
# | [`data.json`](results/data.json) | 13 | 13 | 2026-11-25 `a576218` |: the file, how many bars it has, how many hold,
# and of which commits its parts are.
BARS = re.compile(r"^\| \[`(\w+)\.json`\]\(results/\1\.json\) \| (\d+) \| (\d+) \| (.*) \|$", re.MULTILINE)


def shown(page: str) -> list[tuple[str, str, str]]:
    return FIGURE.findall((ROOT / page).read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", ["README.md", "benchmarks/README.md"])
def test_a_page_shows_figures(page: str) -> None:
    assert len(shown(page)) >= 8


@pytest.mark.parametrize(("name", "path", "text"), sorted({*shown("README.md"), *shown("benchmarks/README.md")}))
def test_a_figure_is_the_measured_one(name: str, path: str, text: str) -> None:
    value = json.loads((RESULTS / f"{name}.json").read_text())
    for key in path.split(";"):
        value = value[key]
    decimals = len(text.partition(".")[2])
    assert text == f"{value:.{decimals}f}"


def test_the_table_of_bars_says_what_the_results_hold() -> None:
    records = {path.stem: json.loads(path.read_text()) for path in RESULTS.glob("*.json")}
    told = BARS.findall((ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8"))
    assert {name: (int(bars), int(holding)) for name, bars, holding, _ in told} == {
        name: (len(record["bars"]), sum(bar["holds"] for bar in record["bars"]))
        for name, record in records.items()
        if record["bars"]
    }
    for name, _, _, measured in told:
        assert set(re.findall(r"\d{4}-\d\d-\d\d `\w{7}`", measured)) == {
            f"{part['date'][:10]} `{part['commit'][:7]}`" for part in measurements(records[name])
        }


def measurements(record: dict[str, Any]) -> list[dict[str, str]]:
    """When, where and of which commit each part of a result was measured; the file, where it has no parts."""
    parts = [part["measured"] for part in record["figures"].values() if isinstance(part, dict) and "measured" in part]
    return parts or [record]


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*.json")), ids=lambda path: path.stem)
def test_a_committed_result_is_explained_in_a_section(path: Path) -> None:
    headings = re.findall("^## .*$", (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert any(f"`{path.stem}`" in heading for heading in headings), headings


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*.json")), ids=lambda path: path.stem)
def test_a_committed_result_has_the_one_format(path: Path) -> None:
    record = json.loads(path.read_text())
    assert set(record) == {"name", "command", "commit", "machine", "date", "seeds", "figures", "bars"}
    assert record["name"] == path.stem
    assert re.fullmatch(r"[0-9a-f]{40}(\+changes)?", record["commit"])
    for bar in record["bars"]:
        assert set(bar) == {"name", "value", "op", "bar", "holds"}
