"""Reads YAML files, each field with its line; every mistake is named with file and line."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from finscribe_core.errors import FailureReason, UserError
from finscribe_core.fields import Loc, dotted

_MAX_CHARACTERS = 2**20
"""Of a file: as much as Kubernetes takes, and read in seconds."""
_MAX_VALUES = 1_000_000
"""Values that a document may hold, as often as aliases repeat them: nine lines can say a billion."""
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
        raise invalid(str(path), f"more than {_MAX_CHARACTERS:,} characters", "Is this the right file?")
    return _parse(text, str(path), lambda line: f"{path}:{line}", "Mind the indentation.")


def read_document(path: Path, remedy: str) -> Document:
    """The one document of a YAML file.

    Args:
        path: the file.
        remedy: of a file that holds none, or several.

    Raises:
        UserError: InvalidConfig, as `read_documents` does, too.
    """
    documents = read_documents(path)
    if len(documents) != 1:
        holds = f"holds {len(documents)} documents, not one" if documents else "is empty"
        raise UserError(FailureReason.InvalidConfig, f"{path} {holds}.", remedy)
    return documents[0]


def read_value(text: str, said: str) -> Any:
    """A single YAML value, by the same rules as files.

    Raises:
        UserError: InvalidConfig, beginning with `said`.
    """
    documents = _parse(text, said, lambda _: said, "Put the value in quotes.")
    if len(documents) > 1:
        raise invalid(said, "more than one value", "Put the value in quotes.")
    return documents[0].data if documents else None


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
                raise invalid(where(node.start_mark.line + 1), problem, "Write them out, without aliases.")
            documents.append(Document(source, loader.construct_document(node), lines))
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        problem = f"not valid YAML: character #x{ord(text[error.position]):04x} is not allowed"
        raise invalid(where(line), problem, "Remove it.") from None
    except yaml.YAMLError as error:
        if isinstance(error, _NotConstructed):
            remedy = "Correct the value, or put it in quotes."
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        raise invalid(where(mark.line + 1 if mark else 1), f"not valid YAML: {problem}", remedy) from None
    except RecursionError:
        raise invalid(where(1), "too deeply nested", "Mind the brackets.") from None
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
            raise invalid(where(node.start_mark.line + 1), f"{dotted(loc)} contains itself", "Write it out.")
        return sizes[node]
    sizes[node] = 0
    size = 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise invalid(where(line), "a list or a mapping is no key", "Put it in quotes.")
            child = (*loc, str(key.value))
            if child in lines:
                first = f"{dotted(child)} is set twice (first in line {lines[child]})"
                raise invalid(where(line), first, "Remove one.")
            lines[child] = line
            size += _note_lines(value, child, lines, where, sizes)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            size += _note_lines(value, (*loc, index), lines, where, sizes)
    sizes[node] = size
    return size


def invalid(where: str, problem: str, remedy: str) -> UserError:
    """What a file that is no good raises."""
    return UserError(FailureReason.InvalidConfig, f"{where}: {problem}.", remedy)
