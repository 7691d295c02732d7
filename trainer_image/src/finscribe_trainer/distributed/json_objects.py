"""Encodes the objects that a run's processes pass each other as JSON."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter


def encode(value: Any) -> bytes:
    """The value as JSON: of JSON's own types, dataclasses and paths. A NaN stays one.

    Raises:
        TypeError: it has a value of another type.
    """
    return json.dumps(value, default=_as_json).encode()


def decode(message: bytes, kind: Any) -> Any:
    """The value of the type `kind`, as pydantic reads it, that was encoded."""
    return TypeAdapter(kind).validate_python(json.loads(message))


def _as_json(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    raise TypeError(f"{type(value).__name__} can't be passed to another process as JSON")
