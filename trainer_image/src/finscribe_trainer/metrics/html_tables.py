"""Parses tables in HTML."""

import re
from collections import Counter
from html import unescape

from finscribe_trainer.metrics.tables import Cell, Section, Table

_SECTIONS = ("thead", "tbody", "tfoot")
_CELLS = ("td", "th")
_STRUCTURE = ("table", *_SECTIONS, "tr", *_CELLS)
_VOID = frozenset({"area", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"})
# The standard library's parser takes minutes for a model's endless "<td <td <td"; this pattern is linear.
_TOKEN = re.compile(
    r"<!--(?:.*?-->|.*)|<(?P<end>/?)(?P<tag>[a-zA-Z][^\s/<>]*)(?P<attributes>[^<>]*)>|(?P<text><?[^<]*)",
    re.DOTALL,
)
_SPAN = re.compile(r"\b(colspan|rowspan)\s*=\s*[\"']?\s*([0-9]{1,9})(?![0-9])", re.IGNORECASE)


def read_html(text: str) -> Table:
    """The first table of an HTML text, or an empty table.

    Missing tags are inferred as browsers do, <th> is treated as <td>, and a table within a cell is part of
    that cell's markup. Captions, column groups and text outside cells are ignored.
    Time O(n).
    """
    reader = _Reader()
    for token in _TOKEN.finditer(text):
        tag = (token["tag"] or "").lower()
        if reader.over:
            break
        if not tag:
            reader.add_text(unescape(token["text"] or ""))
        elif token["end"]:
            reader.end(tag)
        else:
            reader.start(tag, token["attributes"])
    return reader.table()


class _Reader:
    def __init__(self) -> None:
        self.over = False
        self._inside = False  # the table
        self._sections: list[tuple[str | None, list[list[Cell]]]] = []
        self._section_open = False
        self._row: list[Cell] | None = None
        self._tokens: list[str] | None = None  # of the open cell
        self._spans: dict[str, int] = {}
        self._markup: list[str] = []  # elements open within that cell
        self._open = Counter[str]()  # how many of each

    def table(self) -> Table:
        self._end_cell()
        return Table(tuple(Section(tag, tuple(tuple(row) for row in rows)) for tag, rows in self._sections))

    def start(self, tag: str, attributes: str) -> None:
        if not self._inside:
            self._inside = tag == "table"
            return
        if self._tokens is not None:
            if self._open["table"] or tag == "table" or tag not in _STRUCTURE:
                self._start_markup(tag)
                return
            self._end_cell()
        if tag in _SECTIONS:
            self._begin_section(tag)
        elif tag == "tr":
            self._begin_row()
        elif tag in _CELLS:
            if self._row is None:
                self._begin_row()
            self._spans = {name.lower(): max(1, int(text)) for name, text in _SPAN.findall(attributes)}
            self._tokens = []

    def end(self, tag: str) -> None:
        if not self._inside:
            return
        if self._tokens is not None:
            if self._open[tag]:
                self._end_markup(tag)
                return
            if tag not in _STRUCTURE:
                return
            self._end_cell()
        if tag == "tr":
            self._row = None
        elif tag in _SECTIONS:
            self._row, self._section_open = None, False
        elif tag == "table":
            self.over = True

    def add_text(self, text: str) -> None:
        if self._tokens is not None:
            self._tokens.extend(text)

    def _begin_section(self, tag: str | None) -> None:
        self._sections.append((tag, []))
        self._section_open, self._row = tag is not None, None

    def _begin_row(self) -> None:
        if not self._section_open and (not self._sections or self._sections[-1][0] is not None):
            self._begin_section(None)
        self._row = []
        self._sections[-1][1].append(self._row)

    def _start_markup(self, tag: str) -> None:
        assert self._tokens is not None
        self._tokens.append(f"<{tag}>")
        if tag in _VOID:
            self._tokens.append(f"</{tag}>")
        else:
            self._markup.append(tag)
            self._open[tag] += 1

    def _end_markup(self, tag: str | None = None) -> None:
        """Close the innermost element of that name with all elements in it; without a name, close all."""
        assert self._tokens is not None
        while self._markup:
            open_tag = self._markup.pop()
            self._open[open_tag] -= 1
            self._tokens.append(f"</{open_tag}>")
            if open_tag == tag:
                return

    def _end_cell(self) -> None:
        if self._tokens is None:
            return
        self._end_markup()
        assert self._row is not None
        plain = all(len(token) == 1 for token in self._tokens)
        self._row.append(Cell("".join(self._tokens) if plain else tuple(self._tokens), **self._spans))
        self._tokens = None
