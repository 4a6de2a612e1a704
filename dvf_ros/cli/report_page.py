"""The page of `dvf report`: sections of figures, a picture and a sentence, as one HTML file without any address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

CSS = """
:root { --ink: #1d2733; --soft: #5b6675; --line: #e3e7ee; --accent: #1b7f79; --paper: #ffffff; --ground: #f4f6f9; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); line-height: 1.5;
       font-family: system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; font-size: 16px; }
header, main, footer { max-width: 1080px; margin: 0 auto; padding: 0 24px; }
header { padding-top: 40px; }
h1 { font-size: 30px; line-height: 1.2; margin: 0 0 6px; letter-spacing: -0.01em; }
h2 { font-size: 21px; margin: 0 0 4px; }
p { margin: 6px 0; max-width: 96ch; }
.soft { color: var(--soft); }
.facts { color: var(--soft); font-size: 14px; display: flex; flex-wrap: wrap; gap: 2px 22px; padding: 0;
         list-style: none; }
.facts b { color: var(--ink); font-weight: 600; overflow-wrap: anywhere; }
.warning { background: #fff6e6; border-left: 4px solid #e0a029; padding: 8px 14px; border-radius: 4px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(112px, 1fr)); gap: 10px; margin: 22px 0; }
.tile { background: var(--paper); border: 1px solid var(--line); border-radius: 10px; padding: 12px; color: inherit;
        text-decoration: none; }
.tile b { display: block; font-size: 23px; line-height: 1.2; font-variant-numeric: tabular-nums; color: var(--accent); }
.tile span { font-size: 13px; color: var(--soft); }
section { background: var(--paper); border: 1px solid var(--line); border-radius: 12px; padding: 22px 24px;
          margin: 18px 0; }
.numbers { display: flex; flex-wrap: wrap; gap: 8px 34px; margin: 12px 0; }
.numbers div { min-width: 100px; }
.numbers b { display: block; font-size: 21px; font-variant-numeric: tabular-nums; }
.numbers span { font-size: 13px; color: var(--soft); }
figure { margin: 10px 0 0; overflow-x: auto; }
svg { width: 100%; height: auto; min-width: 640px; display: block; }
table { border-collapse: collapse; font-size: 13.5px; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 3px 10px; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
th { color: var(--soft); font-weight: 600; }
details { margin-top: 12px; overflow-x: auto; }
summary { cursor: pointer; color: var(--accent); }
footer { padding-bottom: 40px; font-size: 13px; color: var(--soft); }
@media print { body { background: white; } section { break-inside: avoid; } }
"""


@dataclass(frozen=True)
class Number:
    """A headline number, as text, and what it is; `tile` is its name on top of the page, where it belongs there."""

    text: str
    label: str
    tile: str = ""


@dataclass(frozen=True)
class Table:
    """A table to unfold."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Section:
    """One picture with its numbers and how to read it; without a picture, `missing` says why and what to do."""

    key: str
    title: str
    reading: str
    numbers: Sequence[Number] = ()
    svg: str = ""
    missing: str = ""
    notes: Sequence[str] = ()
    table: Table | None = None


@dataclass(frozen=True)
class Page:
    """All that is on the page; texts are plain, they are escaped here."""

    title: str
    lead: str
    facts: dict[str, str]
    warnings: Sequence[str] = ()
    sections: Sequence[Section] = field(default_factory=list)
    foot: str = ""

    def html(self) -> str:
        """The whole file."""
        facts = "".join(f"<li>{escape(name)} <b>{escape(text)}</b></li>" for name, text in self.facts.items())
        warnings = "".join(f'<p class="warning">{escape(text)}</p>' for text in self.warnings)
        tiles = "".join(
            f'<a class="tile" href="#{section.key}"><b>{escape(number.text)}</b><span>{escape(number.tile)}</span></a>'
            for section in self.sections
            for number in section.numbers
            if number.tile
        )
        sections = "\n".join(_section(section) for section in self.sections)
        return (
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{escape(self.title)}</title>\n<style>{CSS}</style>\n</head>\n<body>\n"
            f'<header>\n<h1>{escape(self.title)}</h1>\n<p class="soft">{escape(self.lead)}</p>\n'
            f'<ul class="facts">{facts}</ul>\n{warnings}\n<nav class="tiles">{tiles}</nav>\n</header>\n'
            f"<main>\n{sections}\n</main>\n<footer>{escape(self.foot)}</footer>\n</body>\n</html>\n"
        )


def _section(section: Section) -> str:
    numbers = "".join(
        f"<div><b>{escape(number.text)}</b><span>{escape(number.label)}</span></div>" for number in section.numbers
    )
    parts = [
        f'<section id="{section.key}">',
        f"<h2>{escape(section.title)}</h2>",
        f"<p>{escape(section.reading)}</p>",
        f'<div class="numbers">{numbers}</div>' if numbers else "",
        f'<p class="warning missing">{escape(section.missing)}</p>' if section.missing else "",
        f"<figure>{section.svg}</figure>" if section.svg else "",
        *(f'<p class="soft">{escape(note)}</p>' for note in section.notes),
        _table(section.table) if section.table else "",
        "</section>",
    ]
    return "\n".join(part for part in parts if part)


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(text)}</th>" for text in table.head)
    rows = "".join("<tr>" + "".join(f"<td>{escape(text)}</td>" for text in row) + "</tr>" for row in table.rows)
    return f"<details><summary>{escape(table.title)}</summary><table><tr>{head}</tr>{rows}</table></details>"
