"""The options --config, --set and --strict of all commands that load a trainer config."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

Command = Callable[..., Any]

strict_option = click.option(
    "--strict", is_flag=True, help="Reject unknown keys in the config instead of warning about them."
)


def set_option(set_help: str) -> Callable[[Command], Command]:
    """The repeatable option --set, passed to the command as `assignments`."""
    return click.option("--set", "assignments", metavar="KEY=VALUE", multiple=True, help=set_help)


def config_options(
    *,
    config_help: str = "YAML file, as for `finscribe train`.",
    set_help: str = "Change one setting, such as training.learning_rate=1e-5. May be repeated.",
) -> Callable[[Command], Command]:
    """Add --config (as `config_file`), --set and --strict to a command that calls `load_config`.

    Args:
        config_help: help text of --config.
        set_help: help text of --set.
    """
    config_option = click.option(
        "--config", "config_file", type=click.Path(path_type=Path), required=True, help=config_help
    )

    def decorate(command: Command) -> Command:
        return config_option(set_option(set_help)(strict_option(command)))

    return decorate
