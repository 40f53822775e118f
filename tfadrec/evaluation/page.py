"""One HTML file that stands alone: no scripts, nothing from outside."""

import os
from collections.abc import Sequence
from html import escape

from tfadrec.core import replace_page

_KIND = "report"
_BEGINNING = '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
#: Colours stand in one place: what is dark turns light where the reader's
#: screen does, and paper is white.
_STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #222; --soft: #5a5a5a;
  --line: #ccc; --c0: #0b62c4; --c1: #b3500b; --c2: #2b7a3a; --c3: #7b4fb0; }
@media (prefers-color-scheme: dark) { :root { --paper: #16181c; --ink: #e4e4e4;
  --soft: #a9adb5; --line: #454a54; --c0: #6cb0ff; --c1: #f0a060;
  --c2: #7fcf8f; --c3: #c3a0f0; } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 66rem;
  margin: 2rem auto; padding: 0 1rem; color: var(--ink);
  background: var(--paper); }
h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); }
.scroll { overflow-x: auto; }
table { border-collapse: separate; border-spacing: 0;
  margin: 0.5rem 0 1rem; }
th, td { padding: 0.2rem 0.8rem; text-align: right;
  font-variant-numeric: tabular-nums; white-space: nowrap; }
td { border-top: 1px solid var(--line); }
tr:last-child td { border-bottom: 1px solid var(--line); }
table.text td { white-space: normal; max-width: 30rem; }
table.text { width: max-content; }
th:first-child, td:first-child, table.text td, table.text th {
  text-align: left; }
th:first-child, td:first-child { position: sticky; left: 0;
  background: var(--paper); background-clip: padding-box; }
@media screen and (max-width: 40rem) { th:first-child, td:first-child {
  white-space: normal; min-width: 5rem; max-width: 10rem;
  overflow-wrap: break-word; } }
pre { overflow-x: auto; padding: 0.6rem; border: 1px solid var(--line); }
figure { display: inline-block; margin: 0 1rem 1rem 0; max-width: 100%;
  vertical-align: top; }
figure.chart { width: 28rem; }
svg { max-width: 100%; }
figure.chart svg { width: 100%; }
svg text { font-size: 11px; fill: var(--soft); }
.frame { fill: none; stroke: var(--line); }
.line { fill: none; stroke-width: 1.5; }
.axis, .mark { stroke: var(--soft); }
.mark { stroke-dasharray: 3; }
.whisker { stroke: var(--ink); stroke-width: 1.5; }
.c0 { fill: var(--c0); stroke: var(--c0); color: var(--c0); }
.c1 { fill: var(--c1); stroke: var(--c1); color: var(--c1); }
.c2 { fill: var(--c2); stroke: var(--c2); color: var(--c2); }
.c3 { fill: var(--c3); stroke: var(--c3); color: var(--c3); }
.line { fill: none; }
.key { margin-right: 0.8rem; white-space: nowrap; }
.key::before { content: "\\25A0\\00A0"; }
p, figcaption { color: var(--soft); }
@media print { :root { color-scheme: light; --paper: #fff; --ink: #000;
  --soft: #333; --line: #999; --c0: #0b62c4; --c1: #b3500b; --c2: #2b7a3a;
  --c3: #7b4fb0; } h2, h3, p:has(+ figure), p:has(+ .scroll) {
  break-after: avoid; } figure, tr, .scroll { break-inside: avoid; }
  figure.chart { width: 46%; } body { margin: 0; max-width: none;
  font-size: 10pt; } .scroll, pre { overflow: visible; }
  table.text { width: auto; } table { font-size: 8pt; }
  th, td { padding: 0.1rem 0.3rem; }
  th:first-child, td:first-child { position: static; }
  td, th, pre { white-space: pre-wrap; } }
"""
#: The rule by which a page of version 0.1.0 is told.
_STYLE_1 = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem;
       margin: 2rem auto; padding: 0 1rem; color: #222; background: #fff; }
table { border-collapse: collapse; margin: 0.5rem 0 1rem; }
th, td { padding: 0.2rem 0.8rem; border-bottom: 1px solid #ddd;
         text-align: right; font-variant-numeric: tabular-nums; }
th:first-child, td:first-child, table.text td { text-align: left; }
figure { display: inline-block; margin: 0 1rem 1rem 0; }
p, figcaption { color: #555; }
"""


def write_page(
    path: str | os.PathLike[str], title: str, body: Sequence[str]
) -> None:
    """Writes a page.

    Args:
      path: the file; its folders are made. A page that this has written is
        replaced.
      title: the heading, which is escaped.
      body: parts of HTML, which are not.

    Raises:
      InputError: where another file is in the way, or a page that somebody has
        changed.
    """
    page = "\n".join(
        [
            _BEGINNING,
            '<meta name="viewport" content="width=device-width">',
            f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>",
            f"<body>\n<h1>{escape(title)}</h1>",
            *body,
            "</body>\n</html>\n",
        ]
    )
    replace_page.replace_page(path, page, _KIND, older=_is_version_1)


def check_page(path: str | os.PathLike[str]) -> None:
    """Looks, before long work, whether a page may be written.

    Raises:
      InputError: as for `write_page`.
    """
    replace_page.check_page(path, _KIND, older=_is_version_1)


def _is_version_1(page: str) -> bool:
    """Whether version 0.1.0, which did not sign its pages, wrote this one."""
    return (
        page.startswith(f"{_BEGINNING}\n<title>")
        and f"<style>{_STYLE_1}</style>" in page
        and page.endswith("</body>\n</html>\n")
    )


def table(rows: Sequence[Sequence[str]], kind: str = "numbers") -> str:
    """A table of cells, header first, which are escaped.

    Args:
      rows: of equal length.
      kind: `numbers`, to the right but for the first column, or `text`.
    """
    head, *rest = rows
    lines = [
        f"<thead>{_row('th', head)}</thead>",
        *(_row("td", row) for row in rest),
    ]
    inner = "\n".join(lines)
    return (
        f'<div class="scroll"><table class="{kind}">\n{inner}\n</table></div>'
    )


def _row(tag: str, cells: Sequence[str]) -> str:
    inner = "".join(f"<{tag}>{escape(c.strip())}</{tag}>" for c in cells)
    return f"<tr>{inner}</tr>"
