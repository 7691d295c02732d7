"""Settings as a flat list, so that they can be shown and compared."""

import json
from collections.abc import Iterator, Mapping
from typing import Any


def flat_settings(settings: Mapping[str, Any]) -> dict[str, str]:
    """Settings by their dotted path, values as texts.

    >>> flat_settings({"training": {"learning_rate": 0.0001}, "formats": ["LoRA"], "gate": None})
    {'training.learning_rate': '0.0001', 'formats': '["LoRA"]', 'gate': ''}
    """
    return dict(_flat(settings, ""))


def _flat(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{path}.{key}" if path else str(key))
    elif value is None:
        yield path, ""
    else:
        yield path, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
