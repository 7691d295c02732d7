"""Changes of single settings by their dotted path: `--set`, experiments and sweeps."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel

from finscribe_core.errors import FailureReason, UserError
from finscribe_core.fields import Loc, by_name, dotted, find_setting, nearest, spellings
from finscribe_core.yaml_files import read_value


def parse_assignment(text: str) -> tuple[str, Any]:
    """A `--set` argument as path and value; the value is read as YAML.

    Raises:
        UserError: InvalidConfig when it is no assignment.

    >>> parse_assignment("training.learning_rate=1e-5")
    ('training.learning_rate', 1e-05)
    """
    path, equals, value = text.partition("=")
    if not equals or not path.strip():
        raise UserError(
            FailureReason.InvalidConfig, f"--set {text}: not an assignment.", "Write --set a.b=value."
        )
    return path.strip(), read_value(value, f"--set {text}")


def field_path(model: type[BaseModel], path: str) -> str:
    """A dotted path in the fields' own names, so that two spellings of one setting are told to be one.

    What the model does not know stays as it is.

    >>> from finscribe_core.trainer_config import TrainerConfig
    >>> field_path(TrainerConfig, "lora.lora_alpha"), field_path(TrainerConfig, "outputDir")
    ('lora.alpha', 'output_dir')
    """
    return dotted(by_name(model, tuple(path.split("."))))


def apply_overrides(
    model: type[BaseModel],
    data: Mapping[str, Any],
    overrides: Mapping[str, Any],
    said: str,
    *,
    camel_case: bool = False,
) -> dict[str, Any]:
    """The data with other values at the paths; what the paths do not name stays as it is.

    A setting that the data spells otherwise (`alpha`, `lora_alpha`), or says in the other place that it has,
    is replaced, not said twice.

    Args:
        model: what the data will be read as.
        data: as read from a file.
        overrides: values by dotted path, in any spelling the model knows.
        said: who asks, for messages: `--set`, say.
        camel_case: other spellings are unknown, as they are to the API server.

    Raises:
        UserError: InvalidConfig for a path that the model does not know, with the nearest one it does.
    """
    result = dict(data)
    for path, value in overrides.items():
        change = _Change(value, f"{said} {path}", camel_case)
        result = _applied(model, result, path.split("."), change)
        for other in _other_places(model, path):
            if found := find_setting(model, result, other):
                result = _without(result, found[0])
    return result


def _other_places(model: type[BaseModel], path: str) -> Iterator[str]:
    """Where else the setting could have been said."""
    named = field_path(model, path)
    for pair in getattr(model, "same_settings", ()):
        if named in pair:
            yield from (place for place in pair if place != named)


def _without(data: dict[str, Any], loc: Loc) -> dict[str, Any]:
    """The data without what is there."""
    key, *rest = loc
    kept = {name: value for name, value in data.items() if name != key}
    return {**kept, str(key): _without(data[str(key)], tuple(rest))} if rest else kept


class _Change(NamedTuple):
    value: Any
    said: str
    camel_case: bool


def _applied(
    model: type[BaseModel], data: Mapping[str, Any], path: list[str], change: _Change
) -> dict[str, Any]:
    value, said, camel_case = change
    key, *rest = path
    found = spellings(model, key, camel_case=camel_case)
    if found is None:
        hint = nearest(model, key, camel_case=camel_case)
        raise UserError(FailureReason.InvalidConfig, f"{said}: unknown key {key}{hint}")
    names, child, is_map = found
    present = next((name for name in data if name in names), key)
    others = {name: kept for name, kept in data.items() if name not in names}
    if not rest:
        return {**others, key: value}
    inner = data.get(present)
    inside = inner if isinstance(inner, dict) else {}
    if child is not None:
        return {**others, present: _applied(child, inside, rest, change)}
    if is_map:  # its keys are the user's own, and may have dots
        return {**others, present: {**inside, ".".join(rest): value}}
    raise UserError(FailureReason.InvalidConfig, f"{said}: {key} has no settings below it.")
