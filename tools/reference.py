"""Builds the reference pages: type, default, limits and docstring of every field."""

import json
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel

from finscribe_core.api.crd import Schema, build_schema

LARGE = 6
"""Fields from which on the table of an object is not repeated for another one with the same fields."""


def file_reference_text(
    title: str,
    intro: str,
    model: type[BaseModel],
    *,
    by_alias: bool,
    described: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """The page of a configuration file, with camelCase or snake_case keys.

    Args:
        title: the page's heading.
        intro: the text below it.
        model: the file's model.
        by_alias: whether keys are in camelCase.
        described: where the fields of large objects are described, by `key_of_fields`.
    """
    schema = build_schema(model, by_alias=by_alias)
    return _page(title, intro, _section("Keys", "", schema, dict(described)))


def key_of_fields(schema: Schema) -> str:
    """The same text for all objects with the same fields."""
    return json.dumps(schema["properties"], sort_keys=True)


def kind_reference_text(title: str, intro: str, model: type[BaseModel]) -> str:
    """The page of a Kubernetes kind."""
    fields = build_schema(model)["properties"]
    described: dict[str, str] = {}
    return _page(
        title,
        f"{model.__doc__} {intro}",
        (
            part
            for name in ("spec", "status")
            for part in _section(f"`{name}`", name, fields[name], described)
        ),
    )


def aliases_text(model: type[BaseModel]) -> str:
    """The section about keys of other programs that a configuration file accepts as well."""
    rows = [
        f"| `{name}.{key}` | {meaning} |\n"
        for name, field in model.model_fields.items()
        for key, meaning in getattr(field.annotation, "also_known_keys", {}).items()
    ]
    return "\n## Keys of other programs\n\n| Key | Here |\n|---|---|\n" + "".join(rows)


def _page(title: str, intro: str, parts: Iterable[str]) -> str:
    return f"# {title}\n\n{intro}\n" + "".join(parts)


def _section(heading: str, path: str, schema: Schema, described: dict[str, str]) -> Iterator[str]:
    """Table and rules of an object, then those of its nested objects.

    Args:
        heading: the section's heading.
        path: dotted path of the object.
        schema: its schema.
        described: where the fields of large objects are described, by `key_of_fields`; completed.
    """
    level = "##" if "." not in path else "###"
    yield f"\n{level} {heading}\n\n"
    if path:
        yield f"{schema['description']}\n\n"
    here = f"`{path}`"
    where = described.setdefault(key_of_fields(schema), here)
    if where != here and len(schema["properties"]) >= LARGE:
        yield f"The fields are those of {where}.\n"
        return
    yield "| Field | Type | Default | Limits | Description |\n|---|---|---|---|---|\n"
    below = []
    for name, field in schema["properties"].items():
        yield _row(name, field, required=name in schema.get("required", ()))
        inner = field.get("items", field)
        if "properties" in inner:
            child = f"{path}.{name}" if path else name
            below.append((child + ("[]" if inner is not field else ""), inner))
    if rules := schema.get("x-kubernetes-validations"):
        yield "\n" + "".join(f"- {rule['message']}.\n" for rule in rules)
    for child, inner in below:
        yield from _section(f"`{child}`", child, inner, described)


def _row(name: str, field: Schema, *, required: bool) -> str:
    default = "**required**" if required else _shown(field.get("default"))
    cells = (f"`{name}`", _type(field), default, _limits(field), field.get("description", ""))
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n\n", " ") for cell in cells) + " |\n"


def _type(field: Schema) -> str:
    if "x-kubernetes-int-or-string" in field:
        return "quantity"
    if "enum" in field:
        return " or ".join(f"`{value}`" for value in field["enum"])
    if "items" in field:
        return f"list of {_type(field['items'])}"
    if "additionalProperties" in field:
        return "map of strings"
    if "not" in field:
        return f"number or `{field['pattern'].strip('^$')}`"
    return str(field["type"])


def _limits(field: Schema) -> str:
    limits = []
    if "minimum" in field and "x-kubernetes-int-or-string" not in field:
        limits.append(f"{'>' if field.get('exclusiveMinimum') else '≥'} {field['minimum']}")
    if "maximum" in field:
        limits.append(f"{'<' if field.get('exclusiveMaximum') else '≤'} {field['maximum']}")
    if "not" in field:  # a number or a word; the other keywords exclude other types
        return ", ".join(limits)
    for kind, unit in (("Length", "characters"), ("Items", "items")):
        low, high = field.get(f"min{kind}"), field.get(f"max{kind}")
        if low or high:
            limits.append(f"{low or 0} to {high} {unit}" if high else f"{unit}: at least {low}")
    if "pattern" in field:
        limits.append(f"`{field['pattern']}`")
    return ", ".join(limits)


def _shown(value: Any) -> str:
    return "" if value in (None, {}) else f"`{json.dumps(value)}`"
