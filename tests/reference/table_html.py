"""Writes a table as an HTML document."""

from html import escape

from finscribe_trainer.metrics.tables import Table


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
