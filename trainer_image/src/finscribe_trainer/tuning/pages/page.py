"""Renders a page of sections with charts and tables as self-contained HTML without scripts."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from finscribe_core.look.line_chart import Line, line_chart
from finscribe_trainer.evaluation.report.environment import page_environment


@dataclass(frozen=True)
class PageTable:
    """A table; the first cell of a row names it."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Section:
    """A part of a page."""

    title: str
    lines: Sequence[Line] = ()
    """Of its chart, each with a label in the legend."""
    axes: tuple[str, str] = ("", "")
    """Labels of the chart's axes."""
    caption: str = ""
    table: PageTable | None = None
    texts: Sequence[str] = ()

    @property
    def chart(self) -> Markup:
        """The chart as SVG; empty without a point."""
        return Markup(line_chart(self.lines, *self.axes))  # noqa: S704 - line_chart escapes its texts

    @property
    def legend(self) -> list[tuple[str, str]]:
        """Label and colour of each line."""
        return [(line.label, line.colour) for line in self.lines if line.points]


@dataclass(frozen=True)
class Page:
    """A page."""

    title: str
    headline: str
    notes: Sequence[str]
    sections: Sequence[Section]


def render(page: Page) -> bytes:
    """The page as HTML in UTF-8."""
    template = page_environment(Path(__file__).parent).get_template("page.html.jinja")
    return template.render(page=page).encode(errors="replace")
