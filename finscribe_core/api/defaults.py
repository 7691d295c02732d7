"""Lists the default of every field of a model, and completes written values with such a list.

The API server stores a FineTuneJob as it was written. The operator completes it with the defaults that were
in force when its run started, so that a later version with other defaults does not change the run. Defaults
are those of the models, and those that a platform team sets instead (`override`).
"""

from collections.abc import Mapping
from functools import cache
from types import NoneType, UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

Values = dict[str, Any]
"""Values by camelCase field name; those of a section are a dict, too."""


@cache
def defaults_of(model: type[BaseModel]) -> Values:
    """The default of every field, as JSON; without those that are null. Do not change the result.

    It contains the defaults of the fields of optional sections, too.
    """
    found: Values = {}
    for field in _fields(model):
        if field.section is not None:
            found[field.key] = defaults_of(field.section)
        elif field.default is not None:
            found[field.key] = field.default
    return found


def override(defaults: Mapping[str, Any], values: Mapping[str, Any]) -> Values:
    """The defaults, with these values in their place."""
    result = dict(defaults)
    for key, value in values.items():
        old = result.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        result[key] = override(old or {}, value) if both else value
    return result


def complete(model: type[BaseModel], written: Any, defaults: Mapping[str, Any]) -> Any:
    """The written values, and the defaults of all fields that are not written.

    A field that may be null and is in neither of them becomes null, whatever its present default is: its
    default was null, or it did not exist. An optional section comes from the defaults if they have a field
    of it that has no default by itself, as the others are always listed.

    Args:
        model: the model of the values.
        written: values as read; what is not a dict is returned unchanged, for validation to refuse.
        defaults: as from `defaults_of`, possibly of an older or newer version.
    """
    if not isinstance(written, dict):
        return written
    result = dict(written)
    for field in _fields(model):
        key, default = field.key, defaults.get(field.key)
        if field.section is not None:
            known = default if isinstance(default, Mapping) else {}
            if key in written or not field.may_be_null or _is_set(field.section, known):
                result[key] = complete(field.section, written.get(key, {}), known)
        elif key not in written and (default is not None or field.may_be_null):
            result[key] = default
        elif getattr(model, "merges_entries", False):
            result[key] = _with_entries(written.get(key), default)
    return result


def _with_entries(written: Any, default: Any) -> Any:
    """The written map or list, and the entries of the default that it does not name."""
    if isinstance(written, dict) and isinstance(default, Mapping):
        return {**default, **written}
    if isinstance(written, list) and isinstance(default, list):
        known = [_name_of(entry) for entry in written]
        return [*written, *(entry for entry in default if _name_of(entry) not in known)]
    return written


def _name_of(entry: Any) -> Any:
    """The name of an entry of a list; the entry itself if it has none."""
    return entry.get("name", entry) if isinstance(entry, dict) else entry


def _is_set(model: type[BaseModel], values: Mapping[str, Any]) -> bool:
    """Whether values have a field of a section for which the model has no default."""
    known = defaults_of(model)
    for field in _fields(model):
        value = values.get(field.key)
        if field.section is not None and isinstance(value, Mapping) and _is_set(field.section, value):
            return True
        if value is not None and field.key not in known:
            return True
    return False


class _Field(NamedTuple):
    key: str
    section: type[BaseModel] | None
    """The model of the value if it is a section, optional or not."""
    may_be_null: bool
    default: Any


@cache
def _fields(model: type[BaseModel]) -> list[_Field]:
    return [
        _Field(
            field.serialization_alias or name,
            _section_of(field),
            NoneType in get_args(field.annotation),
            None if field.is_required() else to_jsonable_python(field.get_default(call_default_factory=True)),
        )
        for name, field in model.model_fields.items()
    ]


def _section_of(field: FieldInfo) -> type[BaseModel] | None:
    """The model of a field whose value is a section, optional or not; None for all other values."""
    choices = [field.annotation]
    if get_origin(field.annotation) in (Union, UnionType):
        choices = [choice for choice in get_args(field.annotation) if choice is not NoneType]
    found = choices[0] if len(choices) == 1 else None
    return found if isinstance(found, type) and issubclass(found, BaseModel) else None
