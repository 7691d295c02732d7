"""Encodes the objects that a run's processes pass each other as JSON."""

import json
from typing import Any

from pydantic import TypeAdapter


def encode(value: Any, kind: Any) -> bytes:
    """The value, of a type that pydantic knows, as JSON; a NaN stays one.

    Raises:
        ValueError: the value can't be JSON.
    """
    return json.dumps(TypeAdapter(kind).dump_python(value, mode="json")).encode()


def decode(message: bytes, kind: Any) -> Any:
    """The value of the type `kind` that was encoded."""
    return TypeAdapter(kind).validate_python(json.loads(message))
