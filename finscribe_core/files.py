"""Reads YAML files strictly: every mistake is named with file, line and field, and the nearest known key."""

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from finscribe_core.errors import FailureReason, UserError

M = TypeVar("M", bound=BaseModel)
Loc = tuple[str | int, ...]


class _Loader(yaml.SafeLoader):
    """SafeLoader that reads 2e-5 as a number, as YAML 1.2 and the Kubernetes tools do."""


_Loader.yaml_implicit_resolvers = {
    key: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:float"]
    for key, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"^[-+]?(\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?$|^[-+]?\.(inf|Inf|INF)$|^\.(nan|NaN|NAN)$"
    ),
    list("-+0123456789."),
)


@dataclass(frozen=True)
class Document:
    """One YAML document with the line of each of its fields."""

    source: str
    data: Any
    lines: dict[Loc, int]

    def where(self, loc: Loc) -> str:
        """`file:line` of a field, or of its nearest parent when the field itself is missing."""
        while loc not in self.lines and loc:
            loc = loc[:-1]
        return f"{self.source}:{self.lines.get(loc, 1)}"


def read_documents(path: Path) -> list[Document]:
    """All non-empty documents of a YAML file.

    Raises:
        UserError: the file can't be read, is no YAML, or says a key twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(FailureReason.InvalidConfig, f"{path}: no such file.", "Check the path.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(FailureReason.InvalidConfig, f"{path}: can't be read: {error}.") from None
    loader = _Loader(text)
    documents = []
    try:
        while loader.check_node():
            node = loader.get_node()
            lines: dict[Loc, int] = {}
            _note_lines(node, (), lines, str(path))
            documents.append(Document(str(path), loader.construct_document(node), lines))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error)
        raise UserError(
            FailureReason.InvalidConfig, f"{path}{line}: not valid YAML: {problem}.", "Mind the indentation."
        ) from None
    finally:
        loader.dispose()
    return [d for d in documents if d.data is not None]


def _note_lines(node: yaml.Node | None, loc: Loc, lines: dict[Loc, int], source: str) -> None:
    if node is None:
        return
    lines.setdefault(loc, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            child = (*loc, str(key.value))
            if child in lines:
                raise UserError(
                    FailureReason.InvalidConfig,
                    f"{source}:{key.start_mark.line + 1}: {dotted(child)} is set twice "
                    f"(first in line {lines[child]}).",
                    "Remove one.",
                )
            lines[child] = key.start_mark.line + 1
            _note_lines(value, child, lines, source)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _note_lines(value, (*loc, index), lines, source)


def parse_strictly(model: type[M], document: Document) -> M:
    """The document as a model.

    Raises:
        UserError: naming every unknown key and every wrong value, each with file and line.
    """
    problems = [
        f"{document.where(loc)}: unknown key {dotted(loc)}{hint}"
        for loc, hint in unknown_keys(
            model, document.data, camel_case=getattr(model, "camel_case_only", False)
        )
    ]
    try:
        parsed = model.model_validate(document.data)
    except ValidationError as error:
        problems += [f"{document.where(loc)}: {message}" for loc, message in validation_problems(error)]
        parsed = None
    if problems or parsed is None:
        raise UserError(FailureReason.InvalidConfig, "\n".join(problems))
    return parsed


def parse_leniently(
    model: type[M], document: Document, change: Callable[[dict[str, Any]], dict[str, Any]] = lambda data: data
) -> tuple[M, list[str]]:
    """The document as a model, and a warning for each key that the model does not know.

    Args:
        model: what the document is read as.
        document: as read from a file.
        change: what is done to the document before it is checked: overrides of the command line.

    Raises:
        UserError: naming every wrong value, each with file and line.
    """
    if not isinstance(document.data, dict):
        raise UserError(
            FailureReason.InvalidConfig, f"{document.where(())}: not a mapping of keys to values."
        )
    warnings = [
        f"{document.where(loc)}: unknown key {dotted(loc)}{hint}"
        for loc, hint in unknown_keys(model, document.data)
    ]
    try:
        return model.model_validate(change(document.data)), warnings
    except ValidationError as error:
        problems = [f"{document.where(loc)}: {message}" for loc, message in validation_problems(error)]
        raise UserError(FailureReason.InvalidConfig, "\n".join([*warnings, *problems])) from None


def read_value(text: str, said: str) -> Any:
    """A single YAML value, by the same rules as files.

    Raises:
        UserError: InvalidConfig, beginning with `said`.
    """
    loader = _Loader(text)
    try:
        return loader.get_single_data()
    except yaml.YAMLError:
        raise UserError(
            FailureReason.InvalidConfig, f"{said}: not valid YAML.", "Put the value in quotes."
        ) from None
    finally:
        loader.dispose()


def validation_problems(error: ValidationError) -> list[tuple[Loc, str]]:
    """Pydantic's errors, each as the field's location and one sentence that names it."""
    problems = []
    for item in error.errors(include_url=False):
        loc = tuple(part for part in item["loc"] if not str(part).startswith("function-"))
        message = str(item["msg"]).removeprefix("Value error, ")
        value = item.get("input")
        if item["type"] == "missing":
            text = f"{dotted(loc)} is required."
        elif item["type"] in ("float_type", "int_type") and _is_number(value):
            text = f"{dotted(loc)} must be a number, but {value!r} in quotes is a text; remove the quotes."
        elif item["type"] == "value_error":
            text = f"{dotted(loc)}: {message}." if loc else f"{message}."
        else:
            shown = "" if isinstance(value, dict | list) else f", got {value!r}"
            text = f"{dotted(loc)}: {message}{shown}."
        problems.append((loc, text))
    return problems


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return isinstance(value, str)


def unknown_keys(
    model: type[BaseModel], data: Any, at: Loc = (), *, camel_case: bool = False
) -> list[tuple[Loc, str]]:
    """Keys of `data` that the model does not know, each with a hint at the nearest one it does.

    With `camel_case`, other spellings are unknown too, as they are to the API server.
    """
    if not isinstance(data, dict):
        return []
    known = _known_keys(model, camel_case=camel_case)
    found: list[tuple[Loc, str]] = []
    for key, value in data.items():
        loc = (*at, str(key))
        if key not in known:
            found.append((loc, nearest(model, str(key), camel_case=camel_case)))
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
    """The end of a sentence about an unknown key: the nearest one the model knows, if one is near."""
    near = difflib.get_close_matches(key, list(_known_keys(model, camel_case=camel_case)), n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else "."


def spellings(
    model: type[BaseModel], key: str, *, camel_case: bool = False
) -> tuple[set[str], type[BaseModel] | None] | None:
    """Every spelling of the field that `key` names, with the model of its value; None for an unknown key."""
    for name, field in model.model_fields.items():
        names = {field.serialization_alias or name} if camel_case else _names(name, field)
        if key in names:
            return names, _model_in(field.annotation)
    return None


def _names(name: str, field: FieldInfo) -> set[str]:
    choices = getattr(field.validation_alias, "choices", (field.validation_alias,))
    aliases = {choice for choice in choices if isinstance(choice, str)}
    return {name, field.serialization_alias or name, *aliases}


def _known_keys(model: type[BaseModel], *, camel_case: bool) -> dict[str, type[BaseModel] | None]:
    """Every accepted spelling of a model's keys, with the model of its value if it is one."""
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


def dotted(loc: Loc) -> str:
    """A field's location as people write it.

    >>> dotted(("spec", "lora", "targetModules", 0))
    'spec.lora.targetModules[0]'
    """
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".") or "the document"
