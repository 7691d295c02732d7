"""Builds the reference page of the command line from the help texts of its commands."""

import tomllib
from collections.abc import Iterator
from copy import copy
from importlib.metadata import EntryPoint
from pathlib import Path

import click

from finscribe_core.cli import COMMANDS_GROUP, Commands, main_command

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
WIDTH = 100


def command_reference_text(intro: str) -> str:
    """The page: a section with the help text of every command."""
    group = copy(main_command)
    assert isinstance(group, Commands)
    group.entry_points = _entry_points()
    sections = (f"\n## {path}\n\n```\n{text}\n```\n" for path, text in _help_texts(group, "finscribe"))
    return f"# Commands\n\n{intro}\n" + "".join(sections)


def _entry_points() -> dict[str, EntryPoint]:
    """The commands of this checkout; an installation may be older."""
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    named = project["entry-points"][COMMANDS_GROUP]
    return {name: EntryPoint(name, value, COMMANDS_GROUP) for name, value in named.items()}


def _help_texts(group: click.Group, path: str) -> Iterator[tuple[str, str]]:
    context = click.Context(group, info_name=path)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from _help_texts(command, f"{path} {name}")
        else:
            # Independent of the terminal that it is generated in.
            settings = {**command.context_settings, "terminal_width": WIDTH}
            inner = click.Context(command, info_name=f"{path} {name}", **settings)
            yield f"{path} {name}", "\n".join(line.rstrip() for line in command.get_help(inner).splitlines())
