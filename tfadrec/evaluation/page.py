"""One HTML file that stands alone: no scripts, nothing from outside."""

import os
from collections.abc import Sequence
from html import escape

from tfadrec.core.replace_page import replace_page

_BEGINNING = '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
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
            f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>",
            f"<body>\n<h1>{escape(title)}</h1>",
            *body,
            "</body>\n</html>\n",
        ]
    )
    replace_page(path, page, "report", older=_is_version_1)


def _is_version_1(page: str) -> bool:
    """Whether version 0.1.0, which did not sign its pages, wrote this one."""
    return (
        page.startswith(f"{_BEGINNING}\n<title>")
        and f"<style>{_STYLE}</style>" in page
        and page.endswith("</body>\n</html>\n")
    )


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
