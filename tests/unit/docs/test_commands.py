"""Command lines on pages, and examples in help texts, are accepted by the commands they call."""

import re
import shlex

import click
import pytest

from finscribe_core.cli import main_command
from tests.unit.docs.pages import ALL
from tools.kube.__main__ import main as kube

PROGRAMS = {"finscribe": main_command, "python -m tools.kube": kube}
pages = pytest.mark.parametrize("page", ALL.values(), ids=ALL.keys())


def parse_call(line: str) -> tuple[click.Group, list[str]] | None:
    """The click group that a command line calls, with its arguments; None for other programs."""
    for program, group in PROGRAMS.items():
        if line.startswith(f"{program} "):
            return group, shlex.split(line.removeprefix(program))
    return None


def subcommand(group: click.Group, name: str) -> click.Command:
    command = group.get_command(click.Context(group), name)
    assert command, f"there is no command {name}"
    return command


def commands_by_path(group: click.Group, path: str) -> dict[str, click.Command]:
    """Every command of a group and of its subgroups, by its full command path."""
    found: dict[str, click.Command] = {}
    for name in group.list_commands(click.Context(group)):
        command = subcommand(group, name)
        inner = isinstance(command, click.Group)
        found |= commands_by_path(command, f"{path} {name}") if inner else {f"{path} {name}": command}
    return found


COMMANDS = commands_by_path(main_command, "finscribe")


def help_text(command: click.Command, path: str) -> str:
    return command.get_help(click.Context(command, info_name=path))


@pytest.mark.parametrize("path", COMMANDS)
def test_the_help_of_a_command_lists_exit_codes_and_has_no_markup(path):
    text = help_text(COMMANDS[path], path)
    assert "Exit codes:  0 " in text
    assert "\\b" not in text


@pytest.mark.parametrize("path", COMMANDS)
def test_the_examples_in_a_help_text_parse(path):
    lines = help_text(COMMANDS[path], path).replace("\\\n", " ").splitlines()
    for group, arguments in filter(None, (parse_call(line.strip()) for line in lines)):
        name, *rest = arguments
        subcommand(group, name).make_context(name, rest)


@pytest.mark.parametrize("group", [main_command, subcommand(main_command, "data")], ids=["finscribe", "data"])
def test_no_summary_in_a_command_list_is_truncated(group):
    assert "..." not in help_text(group, "finscribe").partition("--help")[2]


@pages
def test_the_command_lines_of_a_page_parse(page):
    for group, arguments in filter(None, map(parse_call, page.commands)):
        name, *rest = arguments
        subcommand(group, name).make_context(name, rest)


@pages
def test_commands_and_options_in_inline_code_exist(page):
    for group, arguments in filter(None, map(parse_call, page.inline)):
        name, *rest = arguments
        command = subcommand(group, name)
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in rest if word.startswith("--")} <= known


@pytest.mark.parametrize(
    ("page", "name"),
    [
        ("docs/trainer.md", "train"),
        ("docs/local.md", "run"),
        ("docs/evaluation.md", "compare"),
        ("docs/predict.md", "predict"),
        ("docs/plan.md", "plan"),
        ("docs/deploy.md", "merge"),
        ("docs/tuning.md", "lr-finder"),
        ("docs/tuning.md", "sweep"),
    ],
)
def test_a_page_describes_every_option_of_its_command(page, name):
    options = {option for p in subcommand(main_command, name).params for option in p.opts if "--" in option}
    described = {option for code in ALL[page].inline for option in re.findall(r"--[a-z-]+", code)}
    assert options - described == set()
