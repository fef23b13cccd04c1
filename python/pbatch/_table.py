"""Tables of text and HTML."""

import html
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

Row = TypeVar("Row")


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns under their headings; the first to the left, all others to the right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        first = cells[0].ljust(widths[0])
        rest = (cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))
        return "  ".join([first, *rest]).rstrip()

    return "\n".join([line(header), *(line(row) for row in rows)])


def html_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The same for a notebook."""

    def line(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(c)}</{tag}>" for c in cells) + "</tr>"

    body = "".join(line(row, "td") for row in rows)
    return f"<table><thead>{line(header, 'th')}</thead><tbody>{body}</tbody></table>"


def to_pandas(rows: Sequence[dict[str, Any]]) -> Any:
    """A pandas.DataFrame. Raises ImportError where pandas is not installed."""
    import pandas

    return pandas.DataFrame(list(rows))


class Table(list[Row], Generic[Row]):
    """A list of records that shows itself as a table."""

    _columns: tuple[str, ...] = ()

    def _cells(self) -> list[list[str]]:
        return [[str(getattr(row, c)) for c in self._columns] for row in self]

    def __repr__(self) -> str:
        return text_table(self._columns, self._cells())

    def _repr_html_(self) -> str:
        return html_table(self._columns, self._cells())

    def to_pandas(self) -> Any:
        """A pandas.DataFrame. Raises ImportError where pandas is not installed."""
        return to_pandas([{c: getattr(row, c) for c in self._columns} for row in self])
