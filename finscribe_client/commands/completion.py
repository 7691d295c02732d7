"""`finscribe completion`: the script by which a shell completes commands, options and names of jobs."""

import click
from click.shell_completion import get_completion_class

from finscribe_client.commands.options import HELP_SETTINGS

PROGRAM, VARIABLE = "finscribe", "_FINSCRIBE_COMPLETE"


@click.command(context_settings=HELP_SETTINGS)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print a script that lets a shell complete commands, options and jobs.

    In ~/.bashrc: eval "$(finscribe completion bash)", in ~/.zshrc likewise; that of fish belongs into
    ~/.config/fish/completions/finscribe.fish.

    \b
    Exit codes:  0 done

    \b
    Examples:
      finscribe completion bash
    """  # noqa: D301 - click reads \b as "keep these lines"
    made = get_completion_class(shell)
    assert made is not None
    root = click.get_current_context().find_root().command
    click.echo(made(root, {}, PROGRAM, VARIABLE).source())
