"""Renames the fields of answers to the canonical schema, by a file that the user edits."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, field_validator

from finscribe_core.errors import FailureReason, UserError
from finscribe_core.parsing import parse_strictly
from finscribe_core.yaml_files import read_documents
from finscribe_trainer.data_tools.importing.values import DocumentValueError, to_decimal, to_iso
from finscribe_trainer.documents.schema import schema_json

Kind = Literal["text", "number", "date"]


class MappingError(ValueError):
    """An answer can't be mapped; the message says why."""


def canonical_fields() -> dict[str, Kind]:
    """The kind of each field of the canonical schema that a mapping can name, such as `line_items[].sku`."""
    schema = schema_json()
    return dict(_leaves(schema["$defs"]["Invoice"], schema["$defs"], ""))


def _leaves(part: dict[str, Any], parts: dict[str, Any], prefix: str) -> Iterator[tuple[str, Kind]]:
    for name, field in part["properties"].items():
        options = field.get("anyOf", [field])
        path = f"{prefix}{name}"
        lists = [option["items"] for option in options if option.get("type") == "array"]
        refs = [option["$ref"] for option in (*options, *lists) if "$ref" in option]
        if refs:
            inner = parts[refs[0].rpartition("/")[2]]
            yield from _leaves(inner, parts, f"{path}[]." if lists else f"{path}.")
        elif any(option.get("format") == "date" for option in options):
            yield path, "date"
        elif any(option.get("type") == "number" for option in options):
            yield path, "number"
        elif any(option.get("type") == "string" for option in options):
            yield path, "text"


def fields_of(
    value: Any, path: str = "", indices: tuple[int, ...] = ()
) -> Iterator[tuple[str, tuple[int, ...], Any]]:
    """Each value of an answer that is no object or list, with its path (`items[].name`) and list indices."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from fields_of(item, f"{path}.{key}" if path else str(key), indices)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from fields_of(item, f"{path}[]", (*indices, index))
    elif value is not None and value != "":
        yield path, indices, value


class FieldMapping(BaseModel):
    """The content of the file."""

    model_config = ConfigDict(extra="forbid", strict=True)

    fields: dict[str, str | None]
    """The canonical field of each field of the answers; null leaves it out."""
    constants: dict[str, str | None] = {}
    """Canonical fields with the same value in all documents in which no other field gives one."""
    day_first: bool | None = None
    """Whether 01/02/2026 is in February."""
    decimal_mark: Literal[".", ","] = "."
    """What is before the decimals of amounts."""

    @field_validator("fields")
    @classmethod
    def _check_fields(cls, fields: dict[str, str | None]) -> dict[str, str | None]:
        for path, target in fields.items():
            if target is not None:
                _check_target(target)
                if path.count("[]") != target.count("[]"):
                    raise ValueError(f"{path} -> {target}: a list can only become a list")
        return fields

    @field_validator("constants")
    @classmethod
    def _check_constants(cls, constants: dict[str, str | None]) -> dict[str, str | None]:
        for target in constants:
            _check_target(target)
        return constants

    def apply(self, answer: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """The answer in the canonical fields, and the fields that the file does not name.

        Raises:
            MappingError: a value is no date or amount, or no field is in the file.
        """
        kinds = canonical_fields()
        mapped: dict[str, Any] = {}
        unknown: list[str] = []
        for path, indices, value in fields_of(answer):
            target = self.fields.get(path)
            if path not in self.fields:
                unknown.append(path)
            if target is not None:
                try:
                    _set(mapped, target, indices, self._convert(value, kinds.get(target)))
                except DocumentValueError as error:
                    raise MappingError(f"{path}: {error}") from None
        if not mapped:
            raise MappingError("no field of its answer is in the mapping")
        for target, constant in self.constants.items():
            if constant is not None:
                _set(mapped, target, (), constant, replace=False)
        order = list(dict.fromkeys(path.partition(".")[0].removesuffix("[]") for path in kinds))
        ordered = sorted(mapped, key=lambda key: order.index(key) if key in order else len(order))
        return {key: _compact(mapped[key]) for key in ordered}, unknown

    def _convert(self, value: Any, kind: Kind | None) -> Any:
        if kind == "number":
            return to_decimal(value, self.decimal_mark)
        if kind == "date":
            if self.day_first is None and to_iso(str(value), day_first=True) != _month_first(str(value)):
                raise DocumentValueError(f"{value!r} may be two dates: set day_first in the mapping")
            return to_iso(str(value), day_first=bool(self.day_first))
        return value if isinstance(value, str) else str(value)


def _month_first(text: str) -> str | None:
    try:
        return to_iso(text, day_first=False)
    except DocumentValueError:
        return None


def _check_target(target: str) -> None:
    if target not in canonical_fields() and not re.fullmatch(r"metadata\.[^.\[\]]+", target):
        raise ValueError(f"{target} is no field of the canonical schema, nor metadata.NAME")


def _set(
    document: dict[str, Any], target: str, indices: tuple[int, ...], value: Any, *, replace: bool = True
) -> None:
    """Set a value at a path; lists are first objects by index."""
    *folders, last = target.split(".")
    places = iter(indices)
    part: Any = document
    for folder in folders:
        part = part.setdefault(folder.removesuffix("[]"), {})
        if folder.endswith("[]"):
            part = part.setdefault(next(places), {})
    if replace or last not in part:
        part[last] = value


def _compact(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and all(isinstance(key, int) for key in value):
        return [_compact(value[index]) for index in sorted(value)]
    return {key: _compact(item) for key, item in value.items()}


def read_mapping(path: Path) -> FieldMapping:
    """The mapping in a file.

    Raises:
        UserError: InvalidConfig, with the line.
    """
    documents = read_documents(path)
    if len(documents) != 1:
        raise UserError(
            FailureReason.InvalidConfig,
            f"{path} must contain one YAML document.",
            "Delete it for a new proposal.",
        )
    return parse_strictly(FieldMapping, documents[0])
