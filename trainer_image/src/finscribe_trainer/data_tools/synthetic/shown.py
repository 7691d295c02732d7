"""The answer to a page: what it shows, and nothing else."""

from typing import Any

from finscribe_trainer.documents.paths import leaves
from finscribe_trainer.documents.schema import Document, parse_document


def shown(document: Document, drawn: set[str]) -> Document:
    """The document without the fields that its page does not show.

    Args:
        document: as it was made up.
        drawn: the paths that were drawn, as `documents/paths.leaves` writes them; the document's type and
            currency count as shown, since layout and money tell them.

    Raises:
        pydantic.ValidationError: a field that the schema requires was not drawn.
    """
    kept = drawn | {"document_type", "financial_summary.currency"}
    data = document.model_dump(mode="json", exclude_none=True)
    left_out = {path for path, _ in leaves(data)} - kept
    pruned = _without(data, left_out, "")
    return parse_document(pruned)


def _without(data: Any, paths: set[str], path: str) -> Any:
    """The data without some leaves, and without objects that have none left."""
    if isinstance(data, dict):
        inside = {
            key: _without(value, paths, f"{path}.{key}" if path else key) for key, value in data.items()
        }
        return {key: value for key, value in inside.items() if value is not None} or None
    if isinstance(data, list):
        return [_without(value, paths, f"{path}[{index}]") for index, value in enumerate(data)]
    return None if path in paths else data
