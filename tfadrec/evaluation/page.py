"""One HTML file that stands alone: no scripts, nothing from outside."""

import os
import pathlib
from collections.abc import Sequence
from html import escape

_STYLE = """
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
      path: the file, replaced where it exists; its folders are made.
      title: the heading, which is escaped.
      body: parts of HTML, which are not.
    """
    page = "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>",
            f"<body>\n<h1>{escape(title)}</h1>",
            *body,
            "</body>\n</html>\n",
        ]
    )
    file = pathlib.Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(page, encoding="utf-8")


def table(rows: Sequence[Sequence[str]], kind: str = "numbers") -> str:
    """A table of cells, header first, which are escaped.

    Args:
      rows: of equal length.
      kind: `numbers`, to the right but for the first column, or `text`.
    """
    head, *rest = rows
    lines = [_row("th", head), *(_row("td", row) for row in rest)]
    return f'<table class="{kind}">\n' + "\n".join(lines) + "\n</table>"


def _row(tag: str, cells: Sequence[str]) -> str:
    inner = "".join(f"<{tag}>{escape(c.strip())}</{tag}>" for c in cells)
    return f"<tr>{inner}</tr>"
