"""Applies changes of single settings by dotted path, for `--set`, experiments and sweeps."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel

from finscribe_core.errors import FailureReason, UserError
from finscribe_core.fields import Loc, by_name, dotted, find_setting, spellings
from finscribe_core.hints import hint
from finscribe_core.yaml_files import read_value


def parse_assignment(text: str) -> tuple[str, Any]:
    """A `--set` argument as path and value; the value is parsed as YAML.

    Raises:
        UserError: InvalidConfig when it is not an assignment.

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
    """A dotted path with the fields' Python names, so that two spellings of one setting compare equal.

    Unknown parts are unchanged.

    >>> from finscribe_core.trainer_config import TrainerConfig
    >>> field_path(TrainerConfig, "lora.lora_alpha"), field_path(TrainerConfig, "outputDir")
    ('lora.alpha', 'output_dir')
    """
    return dotted(by_name(model, tuple(path.split("."))))


def apply_overrides(
    model: type[BaseModel],
    data: Mapping[str, Any],
    overrides: Mapping[str, Any],
    source: str,
    *,
    camel_case: bool = False,
) -> dict[str, Any]:
    """The data with new values at the paths; all others are unchanged.

    A setting that the data has in another spelling (`alpha`, `lora_alpha`) or in its other place is replaced.

    Args:
        model: the model of the data.
        data: as read from a file.
        overrides: values by dotted path, in any accepted spelling.
        source: where the overrides come from, for messages, such as `--set`.
        camel_case: accept camelCase only, like the API server.

    Raises:
        UserError: InvalidConfig for an unknown path, with the closest known one.
    """
    result = dict(data)
    for path, value in overrides.items():
        change = _Change(value, f"{source} {path}", camel_case, model, tuple(path.split(".")))
        result = _applied(model, result, path.split("."), change)
        for other in _other_places(model, path):
            if found := find_setting(model, result, other):
                result = _without(result, found[0])
    return result


def _other_places(model: type[BaseModel], path: str) -> Iterator[str]:
    """The other paths of the same setting."""
    named = field_path(model, path)
    for pair in getattr(model, "same_settings", ()):
        if named in pair:
            yield from (place for place in pair if place != named)


def _without(data: dict[str, Any], loc: Loc) -> dict[str, Any]:
    """The data without the value at the location."""
    key, *rest = loc
    kept = {name: value for name, value in data.items() if name != key}
    return {**kept, str(key): _without(data[str(key)], tuple(rest))} if rest else kept


class _Change(NamedTuple):
    value: Any
    source: str
    camel_case: bool
    root: type[BaseModel]
    """The model of all data."""
    loc: Loc
    """The location of the whole path."""


def _applied(
    model: type[BaseModel], data: Mapping[str, Any], path: list[str], change: _Change
) -> dict[str, Any]:
    value, source, camel_case, root, loc = change
    key, *rest = path
    found = spellings(model, key, camel_case=camel_case)
    if found is None:
        meant = hint(root, loc[: len(loc) - len(rest)], model, camel_case=camel_case)
        raise UserError(FailureReason.InvalidConfig, f"{source}: unknown key {key}{meant}")
    names, child, is_map = found
    present = next((name for name in data if name in names), key)
    others = {name: kept for name, kept in data.items() if name not in names}
    if not rest:
        return {**others, key: value}
    inner = data.get(present)
    inside = inner if isinstance(inner, dict) else {}
    if child is not None:
        return {**others, present: _applied(child, inside, rest, change)}
    if is_map:  # its keys are arbitrary, and may contain dots
        return {**others, present: {**inside, ".".join(rest): value}}
    raise UserError(FailureReason.InvalidConfig, f"{source}: {key} has no settings below it.")
