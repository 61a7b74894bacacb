"""The page around the sections: one file that reads without network or script, in light, in dark and on paper."""

import base64
from collections.abc import Iterable, Sequence
from html import escape
from string import Template
from typing import NamedTuple

from tl_jax.core.printable import printable


class Section(NamedTuple):
    """A part of the page: its anchor, title and HTML. labels: whether it reads the target's labels."""

    anchor: str
    title: str
    body: str
    labels: bool = False


MARK = '<span class="mark">with the target\'s labels</span>'
PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>$title</title>
<style>
:root { color-scheme: light dark; --ink: #1d2329; --quiet: #5b6670; --paper: #fff; --line: #dde2e7; --soft: #f4f6f8;
  --good: #1a7f4b; --try: #b35c00; --cell: 31, 119, 180; }
@media (prefers-color-scheme: dark) { :root { --ink: #e3e7eb; --quiet: #9aa6b1; --paper: #14181c; --line: #303840;
  --soft: #1c2228; --good: #5fc48d; --try: #f0a350; --cell: 88, 166, 230; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1.2rem 4rem; max-width: 70rem; color: var(--ink); background: var(--paper);
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.55rem; line-height: 1.25; margin: 0 0 .3rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2.4rem 0 .5rem; padding-top: .6rem; border-top: 1px solid var(--line); }
h3 { font-size: .95rem; margin: 1rem 0 .3rem; overflow-wrap: anywhere; }
p { margin: .4rem 0 .7rem; max-width: 58rem; }
.quiet, figcaption, .note { color: var(--quiet); font-size: .87rem; }
.mark { font-size: .72rem; font-weight: 500; border: 1px solid var(--quiet); border-radius: 1em; padding: .05em .6em;
  color: var(--quiet); white-space: nowrap; vertical-align: .15em; margin-left: .4em; }
nav { font-size: .87rem; margin: .8rem 0; } nav a { margin-right: 1em; white-space: nowrap; }
a { color: inherit; text-decoration-color: var(--quiet); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; margin: .3rem 0 .6rem; }
th, td { text-align: left; padding: .18rem .7rem .18rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: 600; border-bottom-color: var(--quiet); }
.facts th { border-bottom-color: var(--line); white-space: nowrap; } .facts td { overflow-wrap: anywhere; }
.matrix th, .matrix td { text-align: center; padding: .15rem .3rem; min-width: 1.9em; border: 0; }
.matrix th { font-weight: 400; color: var(--quiet); max-width: 7em; overflow: hidden; text-overflow: ellipsis; }
.matrix th.row { text-align: right; white-space: nowrap; } .matrix td { border-radius: 2px; }
ul.words { list-style: none; padding: 0; margin: .4rem 0; max-width: 58rem; }
ul.words li { padding: .3rem 0 .3rem 5.6rem; position: relative; border-bottom: 1px solid var(--line); }
ul.words b { position: absolute; left: 0; font-size: .78rem; padding-top: .12rem; }
.good b { color: var(--good); } .try b { color: var(--try); }
.grid { display: flex; flex-wrap: wrap; gap: .6rem 1.8rem; align-items: flex-start; }
.grid > div { min-width: 0; } .cards { gap: .8rem; margin-bottom: .6rem; }
figure { margin: 0; } svg { display: block; max-width: 100%; height: auto; }
svg text { font-family: inherit !important; }
.cards figure { width: 7.2rem; background: var(--soft); border-radius: 5px; padding: .45rem; font-size: .78rem;
  line-height: 1.3; overflow-wrap: anywhere; break-inside: avoid; }
.cards img { width: 100%; aspect-ratio: 1; object-fit: contain; image-rendering: pixelated; margin-bottom: .25rem; }
footer { margin-top: 3rem; }
@media print { body { max-width: none; padding: 0; font-size: 10pt; } nav { display: none; }
  h2, h3 { break-after: avoid; } svg, tr, figure, li { break-inside: avoid; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  :root { color-scheme: light; --ink: #000; --quiet: #444; --paper: #fff; --line: #ccc; --soft: #f4f6f8;
    --good: #14633b; --try: #8a4700; --cell: 31, 119, 180; } }
</style>
</head>
<body>
<header><h1>$title</h1><p class="quiet">$lead</p></header>
<nav>$links</nav>
<main>
$sections
</main>
<footer class="quiet">$foot</footer>
</body>
</html>
""")


def page(title: str, lead: str, sections: Sequence[Section], foot: str) -> str:
    """The whole file; title and lead are texts, sections HTML."""
    whole = "\n".join(
        f'<section id="{s.anchor}">\n<h2>{text(s.title)}{MARK if s.labels else ""}</h2>\n{s.body}\n</section>'
        for s in sections
    )
    links = " ".join(f'<a href="#{s.anchor}">{text(s.title)}</a>' for s in sections)
    return PAGE.substitute(title=text(title), lead=text(lead), links=links, sections=whole, foot=text(foot))


def text(value: object) -> str:
    """Anything as text of a page: what a name says is never markup, and controls nothing."""
    return escape(printable(str(value).encode("utf-8", "backslashreplace").decode(), lines=False))


def paragraph(words: str, kind: str = "") -> str:
    """A paragraph of plain text; kind: "note" of what is not there or how it was counted."""
    return f"<p{f' class={kind}' if kind else ''}>{text(words)}</p>" if words else ""


def table(cells: Sequence[Sequence[str]], look: str = "") -> str:
    """Text cells, the first row the head; with the look "facts" there is no head but a first column."""
    if look == "facts":
        rows = [f"<tr><th>{text(name)}</th><td>{text(value)}</td></tr>" for name, value in cells]
    else:
        row = lambda tag, line: f"<tr>{''.join(f'<{tag}>{text(cell)}</{tag}>' for cell in line)}</tr>"
        rows = [row("th", cells[0]), *(row("td", line) for line in cells[1:])]
    return f'<div class="wide"><table class="{look or "plain"}">{"".join(rows)}</table></div>'


def matrix(shares: Sequence[Sequence[float]], shown: Sequence[Sequence[str]], names: Sequence[str]) -> str:
    """A square of cells [k, k], darker the larger its share in [0, 1]; rows and columns by their names."""
    short = lambda name: f'<th title="{text(name)}">{text(name if len(name) < 10 else name[:9] + "…")}</th>'
    head = f"<tr><th></th>{''.join(map(short, names))}</tr>"
    cell = lambda share, label: f'<td style="background: rgba(var(--cell), {0.75 * share:.2f})">{label}</td>'
    body = [
        f'<tr><th class="row">{text(name)}</th>{"".join(map(cell, row, labels))}</tr>'
        for name, row, labels in zip(names, shares, shown, strict=True)
    ]
    return f'<div class="wide"><table class="matrix">{head}{"".join(body)}</table></div>'


def card(lines: Iterable[str], picture: bytes) -> str:
    """A picture, if there is one, over lines of text."""
    shown = f'<img alt="" src="data:image/png;base64,{base64.b64encode(picture).decode()}">' if picture else ""
    return f"<figure>{shown}{'<br>'.join(map(text, lines))}</figure>"


def grid(parts: Iterable[tuple[str, str]], kind: str = "") -> str:
    """(title, HTML) side by side, as many as fit."""
    inside = "".join(f"<div>{f'<h3>{text(title)}</h3>' if title else ''}{body}</div>" for title, body in parts)
    return f'<div class="grid {kind}">{inside}</div>'
