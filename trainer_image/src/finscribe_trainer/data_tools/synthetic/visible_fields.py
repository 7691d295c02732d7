"""Removes the fields that are not visible on a page from its document."""

from typing import Any

from finscribe_trainer.documents.paths import leaves
from finscribe_trainer.documents.schema import Document, parse_document


def keep_visible_fields(document: Document, drawn: set[str]) -> Document:
    """The document without the fields that are not on its page.

    Args:
        document: the complete document.
        drawn: the paths that were drawn, as in `documents/paths.leaves`; document type and currency always
            count as visible, because the layout and the amounts imply them.

    Raises:
        pydantic.ValidationError: a field that the schema requires was not drawn.
    """
    kept = drawn | {"document_type", "financial_summary.currency"}
    data = document.model_dump(mode="json", exclude_none=True)
    hidden = {path for path, _ in leaves(data)} - kept
    pruned = _without(data, hidden, "")
    return parse_document(pruned)


def _without(data: Any, paths: set[str], path: str) -> Any:
    """The data without the given leaves, and without objects that become empty."""
    if isinstance(data, dict):
        inside = {
            key: _without(value, paths, f"{path}.{key}" if path else key) for key, value in data.items()
        }
        return {key: value for key, value in inside.items() if value is not None} or None
    if isinstance(data, list):
        return [_without(value, paths, f"{path}[{index}]") for index, value in enumerate(data)]
    return None if path in paths else data
