"""Describes the chart's values from the comments of values.yaml, as the README of the chart."""

from collections.abc import Iterator

import yaml

Row = tuple[str, str, str]
"""Path, default and description of a value."""


def chart_readme_text(values: str, intro: str) -> str:
    """A Markdown page with a table of all values.

    Args:
        values: the text of values.yaml. The comment of a value is right above it; `# Default: ...` in it
            describes an empty value.
        intro: what is before the table.
    """
    root = yaml.compose(values)
    assert isinstance(root, yaml.MappingNode)
    rows = _rows(root, values.splitlines(), "")
    lines = ["| Value | Default | Meaning |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in rows)]
    return f"{intro}\n## Values\n\n" + "\n".join(lines) + "\n"


def _rows(node: yaml.MappingNode, lines: list[str], prefix: str) -> Iterator[Row]:
    for key, value in node.value:
        path = f"{prefix}{key.value}"
        if isinstance(value, yaml.MappingNode) and value.value and not value.flow_style:
            yield from _rows(value, lines, f"{path}.")
        else:
            yield f"`{path}`", _default(value, lines), _comment(lines, key.start_mark.line)


def _default(value: yaml.Node, lines: list[str]) -> str:
    if isinstance(value, yaml.CollectionNode) and not value.flow_style:
        return "see values.yaml"
    start, end = value.start_mark, value.end_mark
    text = lines[start.line][start.column : end.column if start.line == end.line else None]
    return f"`{text}`" if text else ""


def _comment(lines: list[str], line: int) -> str:
    """The comment above a line, as one line.

    Raises:
        ValueError: there is none.
    """
    found: list[str] = []
    while line > 0 and lines[line - 1].lstrip().startswith("# "):
        line -= 1
        found.insert(0, lines[line].strip().removeprefix("# "))
    if not found:
        raise ValueError(f"values.yaml, line {line + 1}: a comment above this value must say what it does")
    return " ".join(found).replace("|", "\\|")
