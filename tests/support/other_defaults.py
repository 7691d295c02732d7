"""An operator of another version: every default of a FineTuneJob's spec that can differ does.

`python -m tests.support.other_defaults --config FILE` starts it.
"""

import copy
from collections.abc import Iterator, Mapping
from enum import Enum
from types import NoneType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from finscribe_core.api import defaults
from finscribe_core.api.defaults import complete, defaults_of
from finscribe_core.api.v1alpha1 import FineTuneJobSpec

REQUIRED: dict[str, Any] = {
    "model": {"source": "hf://PaddlePaddle/PaddleOCR-VL"},
    "dataset": {"train": "s3://docs/train.jsonl"},
    "output": {"uri": "s3://models/invoices"},
    "storage": {"credentialsSecretRef": {"name": "s3-credentials"}},
}
NOT_CHANGED = {"experiments", "suspend"}
"""Other values of these start jobs, or stop all of them."""


def other_defaults() -> dict[str, Any]:
    """Another value of every default, as far as the rules across fields allow it."""
    result = copy.deepcopy(defaults_of(FineTuneJobSpec))
    for path, values in _alternatives(FineTuneJobSpec):
        for value in values:
            tried = copy.deepcopy(result)
            section = tried
            for part in path[:-1]:
                section = section.setdefault(part, {})
            section[path[-1]] = value
            try:
                FineTuneJobSpec.model_validate(complete(FineTuneJobSpec, REQUIRED, tried))
            except ValidationError:
                continue
            result = tried
            break
    return result


def install() -> None:
    """Change the defaults of this process."""
    found = other_defaults()
    _install(FineTuneJobSpec, found)
    defaults_of.cache_clear()
    defaults._fields.cache_clear()


def paths(values: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The path and value of every field."""
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from paths(value, (*above, key))
        else:
            yield (*above, key), value


def _alternatives(
    model: type[BaseModel], above: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], list[Any]]]:
    for name, field in model.model_fields.items():
        path = (*above, field.serialization_alias or name)
        kinds = _kinds(field.annotation)
        if name in NOT_CHANGED:
            continue
        if len(kinds) == 1 and isinstance(kinds[0], type) and issubclass(kinds[0], BaseModel):
            if NoneType not in get_args(field.annotation):
                yield from _alternatives(kinds[0], path)
        elif not field.is_required():
            yield path, [v for v in _values(kinds[0], field.default) if v != field.default]


def _kinds(annotation: Any) -> list[Any]:
    if get_origin(annotation) in (Union, type(int | None)):
        return [kind for kind in get_args(annotation) if kind is not NoneType]
    return [annotation]


def _values(kind: Any, default: Any) -> list[Any]:  # noqa: PLR0911 - one for each type
    """Other values to try, of which some may break a rule."""
    while get_args(kind) and get_origin(kind) not in (list, dict, Literal):
        kind = get_args(kind)[0]
    if get_origin(kind) is Literal:
        return list(get_args(kind))
    if get_origin(kind) is list:
        inner = default[:1] if default else []
        if default and isinstance(default[0], float):
            return [[default[0], default[1] + 0.1], [default[0], (default[0] + default[1]) / 2]]
        return [inner, [v.value for v in get_args(kind)[0]] if _is_enum(get_args(kind)[0]) else []]
    if get_origin(kind) is dict:
        return [{"other": "value"}, {"other": 2.0}]
    if _is_enum(kind):
        return [member.value for member in kind]
    if kind is bool:
        return [not default]
    if isinstance(default, str):
        return ["1Gi", "2", "example.com/gpu", "other"]
    if kind is str:
        return ["other", "s3://other/prefix/"]
    base = default or 0
    return [base + 1, base / 2, 0.5, base + 64, base - 1]


def _is_enum(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Enum)


def _install(model: type[BaseModel], values: Mapping[str, Any]) -> None:
    for name, field in model.model_fields.items():
        key = field.serialization_alias or name
        kinds = _kinds(field.annotation)
        if isinstance(kinds[0], type) and issubclass(kinds[0], BaseModel):
            _install(kinds[0], values.get(key, {}))
            if isinstance(field.default, BaseModel):
                field.default = kinds[0].model_construct()
        elif key in values:
            field.default = values[key]
    model.model_rebuild(force=True)


if __name__ == "__main__":
    install()
    from finscribe_operator.__main__ import main

    main()
