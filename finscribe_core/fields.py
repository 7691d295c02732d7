"""Finds the fields of a model by their accepted spellings, and the closest one to an unknown key."""

import difflib
from collections.abc import Iterator
from typing import Any, NamedTuple, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

Loc = tuple[str | int, ...]
"""The keys and positions that lead to a field."""


def dotted(loc: Loc) -> str:
    """A field's location as a dotted path.

    >>> dotted(("spec", "lora", "targetModules", 0))
    'spec.lora.targetModules[0]'
    """
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".") or "the document"


def unknown_keys(
    model: type[BaseModel], data: Any, at: Loc = (), *, camel_case: bool = False
) -> list[tuple[Loc, type[BaseModel]]]:
    """Keys of `data` that are not fields of the model, each with the (nested) model that lacks it.

    With `camel_case`, other spellings are unknown, too, as for the API server.
    """
    if not isinstance(data, dict):
        return []
    known = _known_keys(model, camel_case=camel_case)
    found: list[tuple[Loc, type[BaseModel]]] = []
    for key, value in data.items():
        loc = (*at, str(key))
        if key not in known:
            found.append((loc, model))
            continue
        child = known[key]
        if child is None:
            continue
        if isinstance(value, list):
            for index, item in enumerate(value):
                found += unknown_keys(child, item, (*loc, index), camel_case=camel_case)
        else:
            found += unknown_keys(child, value, loc, camel_case=camel_case)
    return found


def nearest(model: type[BaseModel], key: str, *, camel_case: bool = False) -> str:
    """The end of a sentence about an unknown key: a similar known key if there is one, else a full stop."""
    near = difflib.get_close_matches(key, list(_known_keys(model, camel_case=camel_case)), n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else "."


class Setting(NamedTuple):
    """A field of a model."""

    names: set[str]
    """Its accepted spellings."""
    model: type[BaseModel] | None
    """The model of its value, if it is a section."""
    is_map: bool
    """Whether its value is a map with arbitrary keys."""


def spellings(model: type[BaseModel], key: str, *, camel_case: bool = False) -> Setting | None:
    """The setting that `key` names; None for an unknown key."""
    for name, field in model.model_fields.items():
        names = {field.serialization_alias or name} if camel_case else _names(name, field)
        if key in names:
            return Setting(names, _model_in(field.annotation), _is_map(field.annotation))
    if not camel_case and key in getattr(model, "also_known_keys", ()):
        return Setting({key}, None, is_map=True)
    return None


def find_setting(model: type[BaseModel], data: Any, path: str) -> tuple[Loc, Any] | None:
    """The location and the value of a setting in the data, in any spelling; None when it is not set."""
    at: Any = model
    loc: Loc = ()
    for part in path.split("."):
        known = spellings(at, part) if at else None
        names = known.names if known else {part}
        key = next((key for key in data if key in names), None) if isinstance(data, dict) else None
        if key is None:
            return None
        loc, data, at = (*loc, key), data[key], known.model if known else None
    return loc, data


def by_name(model: type[BaseModel] | None, loc: Loc) -> Loc:
    """A location with the fields' Python names, from any spelling."""
    named: list[str | int] = []
    for part in loc:
        known = spellings(model, part) if model and isinstance(part, str) else None
        if model and known:
            named.append(next((name for name in model.model_fields if name in known.names), part))
        else:
            named.append(part)
        if isinstance(part, str):  # an item of a list has the list's model
            model = known.model if known else None
    return tuple(named)


def duplicate_spellings(model: type[BaseModel], data: Any, at: Loc = ()) -> Iterator[tuple[Loc, Loc]]:
    """Settings that the data sets in two spellings: the location of each."""
    if not isinstance(data, dict):
        return
    for name, field in model.model_fields.items():
        keys = [key for key in data if key in _names(name, field)]
        yield from (((*at, keys[0]), (*at, again)) for again in keys[1:])
        child = _model_in(field.annotation)
        if child and keys:
            yield from duplicate_spellings(child, data[keys[0]], (*at, keys[0]))


def _names(name: str, field: FieldInfo) -> set[str]:
    choices = getattr(field.validation_alias, "choices", (field.validation_alias,))
    aliases = {choice for choice in choices if isinstance(choice, str)}
    return {name, field.serialization_alias or name, *aliases}


def _known_keys(model: type[BaseModel], *, camel_case: bool) -> dict[str, type[BaseModel] | None]:
    """Every accepted spelling of a model's fields, with the model of its value, if any."""
    known: dict[str, type[BaseModel] | None] = {}
    for name, field in model.model_fields.items():
        child = _model_in(field.annotation)
        names = {field.serialization_alias or name} if camel_case else _names(name, field)
        known.update(dict.fromkeys(sorted(names), child))
    if not camel_case:
        known.update(dict.fromkeys(getattr(model, "also_known_keys", ()), None))
    return known


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in get_args(annotation):
        if found := _model_in(argument):
            return found
    return None


def _is_map(annotation: Any) -> bool:
    return get_origin(annotation) is dict or any(_is_map(argument) for argument in get_args(annotation))
