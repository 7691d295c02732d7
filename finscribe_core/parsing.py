"""Validates YAML documents as models; errors name file, line, field and the closest known key."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from finscribe_core.api.base import PATTERN_WORDS
from finscribe_core.errors import FailureReason, UserError
from finscribe_core.fields import (
    Loc,
    by_name,
    dotted,
    duplicate_spellings,
    find_setting,
    in_snake_case,
    unknown_keys,
)
from finscribe_core.hints import hint, is_always_so
from finscribe_core.texts import redact_urls, to_one_line
from finscribe_core.yaml_files import Document, invalid

M = TypeVar("M", bound=BaseModel)

_MAX_NAMED = 20
"""Most unknown keys that are named."""
_MAX_SHOWN = 200
"""Most characters of a value that are quoted."""


def parse_strictly(model: type[M], document: Document) -> M:
    """The document as a model.

    Raises:
        UserError: InvalidConfig, naming every unknown key and invalid value with file and line.
    """
    camel_case = getattr(model, "camel_case_only", False)
    problems = _unknown(model, document.data, document.where, camel_case=camel_case)
    problems += [] if camel_case else _set_twice(model, document.data, document.where)
    try:
        parsed = model.model_validate(document.data)
    except ValidationError as error:
        found = validation_problems(error, None if camel_case else model)
        problems += [f"{document.where(loc)}: {message}" for loc, message in found]
        parsed = None
    if problems or parsed is None:
        raise UserError(FailureReason.InvalidConfig, "\n".join(problems))
    return parsed


def parse_leniently(
    model: type[M],
    document: Document,
    change: Callable[[dict[str, Any]], dict[str, Any]] = lambda data: data,
    sources: Mapping[str, str] = MappingProxyType({}),
) -> tuple[M, list[str]]:
    """The document as a model, and a warning for each unknown key.

    Args:
        model: the model to validate as.
        document: as read from a file.
        change: applied to the data before validation, such as overrides of the command line.
        sources: origins of settings that are not from the file, by dotted path; named in messages.

    Raises:
        UserError: InvalidConfig, naming every invalid value with file and line, or with its source.
    """
    if not isinstance(document.data, dict):
        raise invalid(document.where(()), "not a mapping of keys to values", "")
    data = change(document.data)

    def where(loc: Loc) -> str:
        inside = dotted(by_name(model, loc)).replace("[", ".") + "."
        return next(
            (source for path, source in sources.items() if inside.startswith(f"{path}.")), document.where(loc)
        )

    warnings = _unknown(model, data, where)
    problems = _set_twice(model, data, where)
    try:
        parsed = model.model_validate(data)
    except ValidationError as error:
        problems += [f"{where(loc)}: {message}" for loc, message in validation_problems(error, model)]
        parsed = None
    if problems or parsed is None:
        raise UserError(FailureReason.InvalidConfig, "\n".join([*warnings, *problems]))
    return parsed, warnings


def _unknown(
    model: type[BaseModel], data: Any, where: Callable[[Loc], str], *, camel_case: bool = False
) -> list[str]:
    """A line for each unknown key, up to a limit.

    In snake_case, keys that ask for what is always done are accepted; an API server rejects them.
    """
    found = [
        (loc, lacking)
        for loc, lacking in unknown_keys(model, data, camel_case=camel_case)
        if camel_case or not is_always_so(str(loc[-1]), _section(data, loc))
    ]
    shown = [
        f"{where(loc)}: unknown key {dotted(loc)}{hint(model, loc, lacking, camel_case=camel_case)}"
        for loc, lacking in found[:_MAX_NAMED]
    ]
    more = len(found) - len(shown)
    return [*shown, f"{where(())}: unknown keys: {more} more."] if more else shown


def _section(data: Any, loc: Loc) -> Any:
    """The mapping that contains the key at the location."""
    for part in loc[:-1]:
        data = data[part]
    return data


def _set_twice(model: type[BaseModel], data: Any, where: Callable[[Loc], str]) -> list[str]:
    """A line for each setting with two spellings in the data, or with different values in its two places."""
    problems = [
        f"{where(again)}: {dotted(again)} is the same setting as {dotted(first)}; remove one."
        for first, again in duplicate_spellings(model, data)
    ]
    for pair in getattr(model, "same_settings", ()):
        one, other = (find_setting(model, data, path) for path in pair)
        if one and other and one[1] != other[1]:
            problems.append(
                f"{where(one[0])}: {dotted(one[0])} is the same setting as {dotted(other[0])}, "
                "which has another value; remove one."
            )
    return problems


def validation_problems(
    error: ValidationError, snake_case: type[BaseModel] | None = None
) -> list[tuple[Loc, str]]:
    """Pydantic's errors, each as the field's location and a sentence that names the field.

    Args:
        error: of the validation.
        snake_case: the model of a file in snake_case, so that the sentences name its fields in snake_case.
    """
    problems = []
    for item in error.errors(include_url=False):
        loc = tuple(part for part in item["loc"] if not str(part).startswith("function-"))
        if snake_case and item["type"] == "missing":  # others have the key as the file spells it
            loc = by_name(snake_case, loc)
        message = str(item["msg"]).removeprefix("Value error, ")
        message = in_snake_case(snake_case, message) if snake_case else message
        # A rule across fields names them itself.
        name = "" if not loc and item["type"] == "value_error" else dotted(loc)
        problems.append((loc, redact_urls(_sentence(name, item, message))))
    return problems


def _sentence(name: str, item: Any, message: str) -> str:
    """What is wrong with the field `name`."""
    kind, value = item["type"], item.get("input")
    shown = "" if isinstance(value, dict | list) else f", got {_shown(value)}"
    match kind:
        case "missing":
            problem = " is required"
        case "float_type" | "int_type" if _is_number(value):
            problem = f" must be a number, but {value!r} in quotes is a text; remove the quotes"
        case "list_type" if isinstance(value, str | int | float):
            problem = f" must be a list: write [{value}]"
        case "model_type" | "dict_type":
            remedy = "; remove the key for its defaults" if value is None else ""
            problem = f" must be a mapping of keys to values{remedy}"
        case "string_pattern_mismatch" if item["ctx"]["pattern"] in PATTERN_WORDS:
            problem = f" must be {PATTERN_WORDS[item['ctx']['pattern']]}{shown}"
        case "value_error":
            problem = f": {message}"
        case _:
            problem = f": {message}{shown}"
    return f"{name}{problem}.".removeprefix(": ")


def _shown(value: Any) -> str:
    """A value as messages quote it: shortened, and without the password of a URL."""
    return to_one_line(repr(value), _MAX_SHOWN)


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return isinstance(value, str)
