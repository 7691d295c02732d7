"""TEDS by the two public implementations, and how they are asked."""

import sys
from functools import cache
from html import escape
from importlib import import_module
from types import ModuleType
from typing import Any

import table_recognition_metric
from rapidfuzz.distance import Levenshtein

from finscribe_trainer.metrics.tables import Table


@cache
def _ibm() -> Any:
    """IBM's module; the two modules it imports that can't be installed any more are put in place.

    `distance` is a Levenshtein distance in C; RapidFuzz's is the same number. `parallel` is only needed to
    score a whole folder.
    """
    distance, parallel = ModuleType("distance"), ModuleType("parallel")
    vars(distance)["levenshtein"] = Levenshtein.distance
    vars(parallel)["parallel_process"] = None
    sys.modules.setdefault("distance", distance)
    sys.modules.setdefault("parallel", parallel)
    return import_module("tests.reference.pubtabnet.metric")


def ibm_teds(gold: str, predicted: str, *, structure_only: bool = False) -> float:
    """PubTabNet's score of two HTML documents."""
    return float(_ibm().TEDS(structure_only=structure_only).evaluate(predicted, gold))


def marked_up(table: Table) -> int:
    """Tags inside the table's cells, which IBM's program divides by, too."""
    return sum(
        len(token) > 1 and not token.startswith("</")
        for section in table.sections
        for row in section.rows
        for cell in row
        for token in cell.content
    )


def other_teds(gold: str, predicted: str, *, structure_only: bool = False) -> float:
    """table-recognition-metric's score of two HTML documents."""
    return float(table_recognition_metric.TEDS(structure_only=structure_only)(predicted, gold))


def to_html(table: Table) -> str:
    """The table as an HTML document."""
    parts = []
    for section in table.sections:
        rows = []
        for row in section.rows:
            cells = []
            for cell in row:
                spans = f' colspan="{cell.colspan}"' if cell.colspan > 1 else ""
                spans += f' rowspan="{cell.rowspan}"' if cell.rowspan > 1 else ""
                text = "".join(token if len(token) > 1 else escape(token) for token in cell.content)
                cells.append(f"<td{spans}>{text}</td>")
            rows.append(f"<tr>{''.join(cells)}</tr>")
        inside = "".join(rows)
        parts.append(inside if section.tag is None else f"<{section.tag}>{inside}</{section.tag}>")
    return f"<html><body><table>{''.join(parts)}</table></body></html>"
