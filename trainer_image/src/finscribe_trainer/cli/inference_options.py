"""Options that every command has that lets models read."""

from collections.abc import Callable
from typing import Any

import click

Command = Callable[..., Any]

_OPTIONS = (
    click.option(
        "--batch-size",
        type=click.IntRange(1, 1024),
        default=8,
        show_default=True,
        help="Documents read at once: more is faster and takes more memory.",
    ),
    click.option(
        "--max-new-tokens",
        type=click.IntRange(1, 131072),
        help="Tokens after which an answer is cut off; by the longest right answer if unset.",
    ),
    click.option(
        "--limit",
        type=click.IntRange(1),
        help="Read so many documents only: a sample over the whole set, always the same one.",
    ),
)


def reading_options(command: Command) -> Command:
    """Add --batch-size, --max-new-tokens and --limit."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
