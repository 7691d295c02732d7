"""Loads the schema to validate answers with: the canonical one, a user's JSON Schema, or none."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import referencing
from pydantic import ValidationError

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.documents.numbers import NumberError, load_json
from finscribe_trainer.documents.problems import Problem
from finscribe_trainer.documents.schema import DOCUMENT_TYPES, parse_document, schema_json

NO_SCHEMA = "none"
_MAX_PROBLEMS = 20
"""Largest number of reported problems of one answer; a schema with `items` can give one per line."""
_MAX_VALUE = 60
_TOO_DEEP = Problem("schema", "", "the answer is nested too deeply")

Check = Callable[[Any], list[Problem]]
"""Returns the problems of an answer's JSON value from `load_json`."""


def load_schema(name: str | None) -> tuple[Check | None, bool]:
    """The check function of a schema, and whether it is the canonical one.

    Args:
        name: a JSON Schema file; `none` for free texts; None for the canonical schema.

    Raises:
        UserError: InvalidConfig when the file is not a JSON Schema.
    """
    if name == NO_SCHEMA:
        return None, False
    if name is None:
        return check_canonical, True
    schema = _read(Path(name))
    if schema == schema_json():
        return check_canonical, True  # faster, and gives better messages
    return _checker(name, schema), False


def check_canonical(data: Any) -> list[Problem]:
    """The violations of the canonical schema."""
    try:
        parse_document(data)
    except ValidationError as error:
        return [_problem(item) for item in error.errors(include_url=False)[:_MAX_PROBLEMS]]
    except RecursionError:
        return [_TOO_DEEP]
    return []


def _problem(error: Any) -> Problem:
    kind, path = error["type"], _path(error["loc"])
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return Problem("schema", "document_type", f"must be one of {', '.join(DOCUMENT_TYPES)}")
    if kind == "extra_forbidden":
        return Problem("schema", path, "is not a field of the schema", "Remove it, or move it to metadata.")
    if kind == "missing":
        return Problem("schema", path, "is missing")
    cause = error.get("ctx", {}).get("error")
    text = (
        str(cause)
        if isinstance(cause, ValueError | NumberError)
        else error["msg"][0].lower() + error["msg"][1:]
    )
    return Problem("schema", path, f"{text}, not {_format_value(error['input'])}")


def _path(loc: tuple[str | int, ...]) -> str:
    """The path without its first part, which is the document type."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc[1:]]
    return "".join(parts).removeprefix(".")


def _format_value(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _MAX_VALUE else f"{text[:_MAX_VALUE]}..."


def _read(path: Path) -> Any:
    try:
        return load_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            FailureReason.InvalidConfig,
            f"--schema {path}: {error}.",
            f"Name a JSON Schema file, or `{NO_SCHEMA}` for free texts; FinScribe's own is the default.",
        ) from None


def _checker(name: str, schema: Any) -> Check:
    """The check of a user's schema. References are resolved only within the file; nothing is downloaded."""
    if not isinstance(schema, dict) or not isinstance(schema.get("$schema", ""), str):
        raise UserError(
            FailureReason.InvalidConfig,
            f"--schema {name} is not a JSON Schema, which is an object with a string $schema.",
            "Correct the schema.",
        )
    kind = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    try:
        kind.check_schema(schema)
    except jsonschema.SchemaError as error:
        where = "/".join(map(str, error.absolute_path)) or "the file"
        raise UserError(
            FailureReason.InvalidConfig, f"--schema {name}: {where}: {error.message}.", "Correct the schema."
        ) from None
    validator = kind(schema, registry=referencing.Registry(), format_checker=jsonschema.FormatChecker())

    def check(data: Any) -> list[Problem]:
        try:
            errors = sorted(
                _first(validator.iter_errors(data)), key=lambda error: list(map(str, error.absolute_path))
            )
        except referencing.exceptions.Unresolvable as error:
            raise UserError(
                FailureReason.InvalidConfig,
                f"--schema {name}: the reference {error.ref!r} points outside the file.",
                "Move its target to $defs.",
            ) from None
        except RecursionError:
            return [_TOO_DEEP]
        remedy = f"Correct the field, or the schema: {name}."
        return [
            Problem(
                "schema",
                error.json_path.removeprefix("$").removeprefix("."),
                _truncate(error.message),
                remedy,
            )
            for error in errors
        ]

    return check


def _first(errors: Any) -> list[jsonschema.ValidationError]:
    return [error for error, _ in zip(errors, range(_MAX_PROBLEMS), strict=False)]


def _truncate(text: str) -> str:
    return text if len(text) <= 300 else f"{text[:300]}..."
