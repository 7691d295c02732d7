"""Command lines on pages are understood by the commands they call."""

import re
import shlex

import click
import pytest

from finscribe_core.cli import main_command
from tests.unit.docs.pages import ALL
from tools.kube.__main__ import main as kube

PROGRAMS = {"finscribe": main_command, "python -m tools.kube": kube}
pages = pytest.mark.parametrize("page", ALL.values(), ids=ALL.keys())


def call_of(line: str) -> tuple[click.Group, list[str]] | None:
    """The group of commands that a line calls, and its arguments."""
    line = line.removeprefix(".venv/bin/")
    for program, group in PROGRAMS.items():
        if line.startswith(f"{program} "):
            return group, shlex.split(line.removeprefix(program))
    return None


def subcommand(group: click.Group, name: str) -> click.Command:
    command = group.get_command(click.Context(group), name)
    assert command, f"there is no command {name}"
    return command


@pages
def test_the_command_lines_of_a_page_parse(page):
    for group, arguments in filter(None, map(call_of, page.commands)):
        name, *rest = arguments
        subcommand(group, name).make_context(name, rest)


@pages
def test_commands_and_options_named_in_the_text_exist(page):
    for group, arguments in filter(None, map(call_of, page.inline)):
        name, *rest = arguments
        command = subcommand(group, name)
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in rest if word.startswith("--")} <= known


@pytest.mark.parametrize(
    ("page", "name"),
    [("docs/trainer.md", "train"), ("docs/local.md", "run"), ("docs/evaluation.md", "compare")],
)
def test_a_page_has_every_option_of_its_command(page, name):
    options = {option for p in subcommand(main_command, name).params for option in p.opts if "--" in option}
    told = {option for code in ALL[page].inline for option in re.findall(r"--[a-z-]+", code)}
    assert options - told == set()
