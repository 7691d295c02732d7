"""Finds the fields of a model by their accepted spellings, and names them in snake_case or camelCase."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
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
    known = known_keys(model, camel_case=camel_case)
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


def known_keys(model: type[BaseModel], *, camel_case: bool) -> dict[str, type[BaseModel] | None]:
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


def _is_list(annotation: Any) -> bool:
    return get_origin(annotation) is list or any(_is_list(argument) for argument in get_args(annotation))


def _is_map(annotation: Any) -> bool:
    return get_origin(annotation) is dict or any(_is_map(argument) for argument in get_args(annotation))


def without_case(key: str) -> str:
    """A key without capitals, `_` and `-`, to compare keys in any style.

    >>> without_case("batchSize"), without_case("batch-size")
    ('batchsize', 'batchsize')
    """
    return key.lower().replace("_", "").replace("-", "")


@cache
def setting_paths(model: type[BaseModel]) -> Mapping[str, list[str]]:
    """The dotted paths, in snake_case, of all settings that a key names, by the key `without_case`.

    Items of lists and the status of a job are left out.
    """
    found: defaultdict[str, list[str]] = defaultdict(list)
    for name, field in model.model_fields.items():
        for key in {without_case(spelling) for spelling in _names(name, field)}:
            found[key].append(name)
        child = _model_in(field.annotation)
        if child is None or name == "status" or _is_list(field.annotation):
            continue
        for key, paths in setting_paths(child).items():
            found[key] += [f"{name}.{path}" for path in paths]
    return found


def in_snake_case(model: type[BaseModel], text: str) -> str:
    """The text with the names of the model's fields as the trainer's file spells them.

    >>> from finscribe_core.trainer_config import TrainerConfig
    >>> in_snake_case(TrainerConfig, "loss.useFocal needs another value")
    'loss.use_focal needs another value'
    """
    return _respelled(text, {camel: snake for snake, camel in _both_spellings(model).items()})


def in_camel_case(model: type[BaseModel], text: str) -> str:
    """The text with the names of the model's fields as a FineTuneJob spells them."""
    return _respelled(text, _both_spellings(model))


def _respelled(text: str, other: Mapping[str, str]) -> str:
    return re.sub(r"(?<![\w/-])[a-z]\w*(?![\w/-])", lambda word: other.get(word[0], word[0]), text)


@cache
def _both_spellings(model: type[BaseModel]) -> Mapping[str, str]:
    """The camelCase name of every field, by its snake_case name; nested models included."""
    names: dict[str, str] = {}
    for name, field in model.model_fields.items():
        names[name] = field.serialization_alias or name
        if child := _model_in(field.annotation):
            names |= _both_spellings(child)
    return names
