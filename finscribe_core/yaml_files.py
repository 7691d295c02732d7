"""Reads YAML files and records the line of each field; errors name file and line."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from finscribe_core.errors import FailureReason, UserError
from finscribe_core.fields import Loc, dotted

_MAX_CHARACTERS = 2**20
"""Most characters of a file: what Kubernetes accepts, and parsed within seconds."""
_MAX_VALUES = 1_000_000
"""Most values of a document with aliases expanded: nine lines of aliases can expand to a billion."""
_UNUSABLE = re.compile("[\0\ud800-\udfff]")
"""Characters that neither paths nor UTF-8 files can contain."""
_NOT_CONSTRUCTED = (ValueError, AttributeError, LookupError, ArithmeticError)
"""What PyYAML raises, besides its own errors, for an invalid number or date."""


class _Loader(yaml.SafeLoader):
    """SafeLoader that parses 2e-5 as a number, as YAML 1.2 and the Kubernetes tools do."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """The value of a node.

        Raises:
            yaml.YAMLError: the value is invalid, with its line.
        """
        try:
            value = super().construct_object(node, deep)
            if isinstance(value, int):
                str(value)  # raises for more digits than Python converts to text
        except _NOT_CONSTRUCTED:
            problem = f"{str(node.value)[:40]!r} is not a valid {node.tag.rpartition(':')[2]}"
            raise _NotConstructed(problem=problem, problem_mark=node.start_mark) from None
        if isinstance(value, str) and _UNUSABLE.search(value):
            raise _NotConstructed(
                problem="a text contains a NUL or a surrogate", problem_mark=node.start_mark
            )
        return value


class _NotConstructed(yaml.MarkedYAMLError):
    """A node with an invalid value."""


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
    """One YAML document with the line number of each field."""

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
        UserError: InvalidConfig: the file can't be read, is not valid YAML, or sets a key twice.
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
    return _parse(text, str(path), lambda line: f"{path}:{line}", "Check the indentation.")


def read_value(text: str, source: str) -> Any:
    """A single YAML value, parsed like files.

    Raises:
        UserError: InvalidConfig, with a message that begins with `source`.
    """
    documents = _parse(text, source, lambda _: source, "Put the value in quotes.")
    if len(documents) > 1:
        raise invalid(source, "more than one value", "Put the value in quotes.")
    return documents[0].data if documents else None


def _parse(text: str, source: str, where: Callable[[int], str], remedy: str) -> list[Document]:
    """All non-empty documents of a text.

    Args:
        text: YAML.
        source: name of the text.
        where: start of a message about a line.
        remedy: for invalid YAML.
    """
    documents = []
    try:
        loader = _Loader(text)
        while loader.check_node():
            node = loader.get_node()
            assert node is not None
            lines: dict[Loc, int] = {}
            if _record_lines(node, (), lines, where, {}) > _MAX_VALUES:
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
        raise invalid(where(1), "too deeply nested", "Check the brackets.") from None
    return [document for document in documents if document.data is not None]


def _record_lines(
    node: yaml.Node,
    loc: Loc,
    lines: dict[Loc, int],
    where: Callable[[int], str],
    sizes: dict[yaml.Node, int],
) -> int:
    """Record the line of each field; those that an alias repeats with the line of their definition.

    Args:
        node: the value.
        loc: location of the value.
        lines: filled with the line of each field.
        where: start of a message about a line.
        sizes: number of values of each node; 0 while it is being counted.

    Returns:
        the number of values of the node, with aliases expanded.
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
                raise invalid(where(line), "a list or a mapping can't be a key", "Put it in quotes.")
            child = (*loc, str(key.value))
            if child in lines:
                first = f"{dotted(child)} is set twice (first in line {lines[child]})"
                raise invalid(where(line), first, "Remove one.")
            lines[child] = line
            size += _record_lines(value, child, lines, where, sizes)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            size += _record_lines(value, (*loc, index), lines, where, sizes)
    sizes[node] = size
    return size


def invalid(where: str, problem: str, remedy: str) -> UserError:
    """The error for an invalid file."""
    return UserError(FailureReason.InvalidConfig, f"{where}: {problem}.", remedy)
