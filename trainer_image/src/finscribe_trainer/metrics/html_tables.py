"""Tables in HTML."""

from html.parser import HTMLParser

from finscribe_trainer.metrics.tables import Cell, Section, Table

_SECTIONS = ("thead", "tbody", "tfoot")
_CELLS = ("td", "th")
_STRUCTURE = ("table", *_SECTIONS, "tr", *_CELLS)
_VOID = frozenset({"area", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"})


def read_html(text: str) -> Table:
    """The first table of an HTML text; without one, an empty table.

    Tags that are missing are understood as browsers do, <th> is read as <td>, and a table within a cell is
    part of that cell's markup. What stands beside the cells (captions, column groups, text) is left out.
    """
    reader = _Reader()
    reader.feed(text)
    reader.close()
    return reader.table()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self._inside = False  # the table
        self._over = False
        self._sections: list[tuple[str | None, list[list[Cell]]]] = []
        self._section_open = False
        self._row: list[Cell] | None = None
        self._tokens: list[str] | None = None  # of the open cell
        self._spans = (1, 1)
        self._markup: list[str] = []  # elements open within that cell

    def table(self) -> Table:
        self._end_cell()
        return Table(tuple(Section(tag, tuple(tuple(row) for row in rows)) for tag, rows in self._sections))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._over:
            return
        if not self._inside:
            self._inside = tag == "table"
            return
        if self._tokens is not None:
            if "table" in self._markup or tag == "table" or tag not in _STRUCTURE:
                self._tokens.append(f"<{tag}>")
                if tag in _VOID:
                    self._tokens.append(f"</{tag}>")
                else:
                    self._markup.append(tag)
                return
            self._end_cell()
        if tag in _SECTIONS:
            self._begin_section(tag)
        elif tag == "tr":
            self._begin_row()
        elif tag in _CELLS:
            if self._row is None:
                self._begin_row()
            spans = dict(attrs)
            self._spans = (_span(spans.get("colspan")), _span(spans.get("rowspan")))
            self._tokens = []

    def handle_endtag(self, tag: str) -> None:
        if self._over or not self._inside:
            return
        if self._tokens is not None:
            if tag in self._markup:
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
            self._over = True

    def handle_data(self, data: str) -> None:
        if self._tokens is not None and not self._over:
            self._tokens.extend(data)

    def _begin_section(self, tag: str | None) -> None:
        self._sections.append((tag, []))
        self._section_open, self._row = tag is not None, None

    def _begin_row(self) -> None:
        if not self._section_open and (not self._sections or self._sections[-1][0] is not None):
            self._begin_section(None)
        self._row = []
        self._sections[-1][1].append(self._row)

    def _end_markup(self, tag: str | None = None) -> None:
        """Closes the innermost element of that name, with what is open within it; without a name, all."""
        assert self._tokens is not None
        while self._markup:
            open_tag = self._markup.pop()
            self._tokens.append(f"</{open_tag}>")
            if open_tag == tag:
                return

    def _end_cell(self) -> None:
        if self._tokens is None:
            return
        self._end_markup()
        plain = all(len(token) == 1 for token in self._tokens)
        assert self._row is not None
        self._row.append(Cell("".join(self._tokens) if plain else tuple(self._tokens), *self._spans))
        self._tokens = None


def _span(text: str | None) -> int:
    """Columns or rows that an attribute names; 1 where it names none."""
    text = (text or "").strip()
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 10 else 1
