"""Reads YAML files strictly: every mistake is named with file, line and field, and the nearest known key."""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from finscribe_core.errors import FailureReason, UserError

M = TypeVar("M", bound=BaseModel)
Loc = tuple[str | int, ...]


_MAX_CHARACTERS = 2**20
"""Of a file: as much as Kubernetes takes, and read in seconds."""
_MAX_VALUES = 1_000_000
"""Values that a document may hold, as often as aliases repeat them: nine lines can say a billion."""
_SHOWN = 20
"""Unknown keys that are named."""
_UNUSABLE = re.compile("[\0\ud800-\udfff]")
"""Characters that no path and no file can hold."""
_NOT_CONSTRUCTED = (ValueError, AttributeError, LookupError, ArithmeticError)
"""What PyYAML raises, beside its own errors, for a text that only looks like a number or a date."""


class _Loader(yaml.SafeLoader):
    """SafeLoader that reads 2e-5 as a number, as YAML 1.2 and the Kubernetes tools do."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """The value of a node.

        Raises:
            yaml.YAMLError: it has none, with the line.
        """
        try:
            value = super().construct_object(node, deep)
            if isinstance(value, int):
                str(value)  # more digits than Python writes: no message could show it
        except _NOT_CONSTRUCTED:
            problem = f"{str(node.value)[:40]!r} is no {node.tag.rpartition(':')[2]}"
            raise _NotConstructed(problem=problem, problem_mark=node.start_mark) from None
        if isinstance(value, str) and _UNUSABLE.search(value):
            raise _NotConstructed(
                problem="a text holds a NUL or half a character", problem_mark=node.start_mark
            )
        return value


class _NotConstructed(yaml.MarkedYAMLError):
    """A node without a value."""


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
        with path.open(encoding="utf-8") as file:
            text = file.read(_MAX_CHARACTERS + 1)
    except FileNotFoundError:
        raise UserError(FailureReason.InvalidConfig, f"{path}: no such file.", "Check the path.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(FailureReason.InvalidConfig, f"{path}: can't be read: {error}.") from None
    if len(text) > _MAX_CHARACTERS:
        raise _invalid(str(path), f"more than {_MAX_CHARACTERS:,} characters", "Is this the right file?")
    return _parse(text, str(path), lambda line: f"{path}:{line}", "Mind the indentation.")


def _parse(text: str, source: str, where: Callable[[int], str], remedy: str) -> list[Document]:
    """All non-empty documents of a text.

    Args:
        text: YAML.
        source: where it is from.
        where: what messages begin with, by the line they are about.
        remedy: of a text that is no YAML.
    """
    documents = []
    try:
        loader = _Loader(text)
        while loader.check_node():
            node = loader.get_node()
            assert node is not None
            lines: dict[Loc, int] = {}
            if _note_lines(node, (), lines, where, {}) > _MAX_VALUES:
                problem = f"more than {_MAX_VALUES:,} values, with those that aliases repeat"
                raise _invalid(where(node.start_mark.line + 1), problem, "Write them out, without aliases.")
            documents.append(Document(source, loader.construct_document(node), lines))
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        problem = f"not valid YAML: character #x{ord(text[error.position]):04x} is not allowed"
        raise _invalid(where(line), problem, "Remove it.") from None
    except yaml.YAMLError as error:
        if isinstance(error, _NotConstructed):
            remedy = "Correct the value, or put it in quotes."
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        raise _invalid(where(mark.line + 1 if mark else 1), f"not valid YAML: {problem}", remedy) from None
    except RecursionError:
        raise _invalid(where(1), "too deeply nested", "Mind the brackets.") from None
    return [document for document in documents if document.data is not None]


def _note_lines(
    node: yaml.Node,
    loc: Loc,
    lines: dict[Loc, int],
    where: Callable[[int], str],
    sizes: dict[yaml.Node, int],
) -> int:
    """Note the line of each field; those that an alias repeats are noted where they are written.

    Args:
        node: the value.
        loc: of the value.
        lines: is filled.
        where: what messages begin with, by the line they are about.
        sizes: how many values each node comes to; 0 while that is being counted.

    Returns:
        how many values the node comes to, each counted as often as aliases repeat it.
    """
    lines.setdefault(loc, node.start_mark.line + 1)
    if node in sizes:
        if not sizes[node]:
            raise _invalid(where(node.start_mark.line + 1), f"{dotted(loc)} contains itself", "Write it out.")
        return sizes[node]
    sizes[node] = 0
    size = 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise _invalid(where(line), "a list or a mapping is no key", "Put it in quotes.")
            child = (*loc, str(key.value))
            if child in lines:
                first = f"{dotted(child)} is set twice (first in line {lines[child]})"
                raise _invalid(where(line), first, "Remove one.")
            lines[child] = line
            size += _note_lines(value, child, lines, where, sizes)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            size += _note_lines(value, (*loc, index), lines, where, sizes)
    sizes[node] = size
    return size


def _invalid(where: str, problem: str, remedy: str) -> UserError:
    return UserError(FailureReason.InvalidConfig, f"{where}: {problem}.", remedy)


def parse_strictly(model: type[M], document: Document) -> M:
    """The document as a model.

    Raises:
        UserError: naming every unknown key and every wrong value, each with file and line.
    """
    camel_case = getattr(model, "camel_case_only", False)
    problems = _unknown(model, document.data, document.where, camel_case=camel_case)
    problems += [] if camel_case else _said_twice(model, document.data, document.where)
    try:
        parsed = model.model_validate(document.data)
    except ValidationError as error:
        problems += [f"{document.where(loc)}: {message}" for loc, message in validation_problems(error)]
        parsed = None
    if problems or parsed is None:
        raise UserError(FailureReason.InvalidConfig, "\n".join(problems))
    return parsed


def parse_leniently(
    model: type[M],
    document: Document,
    change: Callable[[dict[str, Any]], dict[str, Any]] = lambda data: data,
    said: Mapping[str, str] = MappingProxyType({}),
) -> tuple[M, list[str]]:
    """The document as a model, and a warning for each key that the model does not know.

    Args:
        model: what the document is read as.
        document: as read from a file.
        change: what is done to the document before it is checked: overrides of the command line.
        said: who changes what, by dotted path: what messages about these settings begin with.

    Raises:
        UserError: naming every wrong value, each with file and line, or with who said it.
    """
    if not isinstance(document.data, dict):
        raise _invalid(document.where(()), "not a mapping of keys to values", "")
    data = change(document.data)

    def where(loc: Loc) -> str:
        inside = dotted(by_name(model, loc)).replace("[", ".") + "."
        return next((who for path, who in said.items() if inside.startswith(f"{path}.")), document.where(loc))

    warnings = _unknown(model, data, where)
    problems = _said_twice(model, data, where)
    try:
        parsed = model.model_validate(data)
    except ValidationError as error:
        problems += [f"{where(loc)}: {message}" for loc, message in validation_problems(error)]
        parsed = None
    if problems or parsed is None:
        raise UserError(FailureReason.InvalidConfig, "\n".join([*warnings, *problems]))
    return parsed, warnings


def _unknown(
    model: type[BaseModel], data: Any, where: Callable[[Loc], str], *, camel_case: bool = False
) -> list[str]:
    """A line for each unknown key; of very many, for the first ones."""
    found = unknown_keys(model, data, camel_case=camel_case)
    shown = [
        f"{where(loc)}: unknown key {dotted(loc)}{nearest(lacks, str(loc[-1]), camel_case=camel_case)}"
        for loc, lacks in found[:_SHOWN]
    ]
    left = len(found) - len(shown)
    return [*shown, f"{where(())}: unknown keys: {left} more."] if left else shown


def _said_twice(model: type[BaseModel], data: Any, where: Callable[[Loc], str]) -> list[str]:
    """A line for each setting that is said in two spellings, or differently in the two places it has."""
    problems = [
        f"{where(again)}: {dotted(again)} is the same setting as {dotted(first)}; remove one."
        for first, again in _spelt_twice(model, data)
    ]
    for pair in getattr(model, "same_settings", ()):
        one, other = (find_setting(model, data, path) for path in pair)
        if one and other and one[1] != other[1]:
            problems.append(
                f"{where(one[0])}: {dotted(one[0])} is the same setting as {dotted(other[0])}, "
                "which says something else; remove one."
            )
    return problems


def _spelt_twice(model: type[BaseModel], data: Any, at: Loc = ()) -> Iterator[tuple[Loc, Loc]]:
    if not isinstance(data, dict):
        return
    for name, field in model.model_fields.items():
        keys = [key for key in data if key in _names(name, field)]
        yield from (((*at, keys[0]), (*at, again)) for again in keys[1:])
        child = _model_in(field.annotation)
        if child and keys:
            yield from _spelt_twice(child, data[keys[0]], (*at, keys[0]))


def find_setting(model: type[BaseModel], data: Any, path: str) -> tuple[Loc, Any] | None:
    """Where the data says a setting, in whatever spelling, and what it says; None if it does not."""
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
    """A location in the fields' Python names, whatever spelling it is in."""
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


def read_value(text: str, said: str) -> Any:
    """A single YAML value, by the same rules as files.

    Raises:
        UserError: InvalidConfig, beginning with `said`.
    """
    documents = _parse(text, said, lambda _: said, "Put the value in quotes.")
    if len(documents) > 1:
        raise _invalid(said, "more than one value", "Put the value in quotes.")
    return documents[0].data if documents else None


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
        elif item["type"] in ("model_type", "dict_type"):
            shown = "; remove the key for its defaults" if value is None else ""
            text = f"{dotted(loc)} must be a mapping of keys to values{shown}."
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
) -> list[tuple[Loc, type[BaseModel]]]:
    """Keys of `data` that the model does not know, each with the model that lacks it.

    With `camel_case`, other spellings are unknown too, as they are to the API server.
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
    """The end of a sentence about an unknown key: the nearest one the model knows, if one is near."""
    near = difflib.get_close_matches(key, list(_known_keys(model, camel_case=camel_case)), n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else "."


class Setting(NamedTuple):
    """A key that a model knows."""

    names: set[str]
    """Every spelling of it."""
    model: type[BaseModel] | None
    """Of its value, if it is a section."""
    is_map: bool
    """Whether its value has keys of the user's own."""


def spellings(model: type[BaseModel], key: str, *, camel_case: bool = False) -> Setting | None:
    """The setting that `key` names; None for an unknown key."""
    for name, field in model.model_fields.items():
        names = {field.serialization_alias or name} if camel_case else _names(name, field)
        if key in names:
            return Setting(names, _model_in(field.annotation), _is_map(field.annotation))
    if not camel_case and key in getattr(model, "also_known_keys", ()):
        return Setting({key}, None, is_map=True)
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


def _is_map(annotation: Any) -> bool:
    return get_origin(annotation) is dict or any(_is_map(argument) for argument in get_args(annotation))


def dotted(loc: Loc) -> str:
    """A field's location as people write it.

    >>> dotted(("spec", "lora", "targetModules", 0))
    'spec.lora.targetModules[0]'
    """
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".") or "the document"
