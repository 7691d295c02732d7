"""Builds the reference page of the command line from the help texts of its commands."""

from collections.abc import Iterator

import click

from finscribe_core.cli import main_command

WIDTH = 100


def command_reference_text(intro: str) -> str:
    """The page: a section with the help text of every command."""
    sections = (f"\n## {path}\n\n```\n{text}\n```\n" for path, text in _help_texts(main_command, "finscribe"))
    return f"# Commands\n\n{intro}\n" + "".join(sections)


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
