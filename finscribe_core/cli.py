"""The `finscribe` command: finds its subcommands by entry points and runs one."""

import difflib
import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib.metadata import EntryPoint, entry_points, version
from typing import Any, NoReturn

import click

from finscribe_core.constants import EXIT_INTERNAL
from finscribe_core.errors import FailureReason, FinscribeError, RetryableError, classify_disk_error
from finscribe_core.logs import Redactor

COMMANDS_GROUP = "finscribe.commands"
SECTIONS = {
    "finscribe_client": "Jobs on a cluster",
    "finscribe_operator": "Jobs on this machine",
    "finscribe_trainer": "Data, training and models",
}
"""Sections of the list of commands, by the package that has them."""


class SuggestingGroup(click.Group):
    """A group that names the closest subcommand when there is none of the name given."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does; click itself does not know subcommands that are imported only when called.

        Raises:
            click.UsageError: no such subcommand, with the closest ones.
        """
        name = args[0]
        if name.startswith("-") or self.get_command(ctx, name) is not None:
            return super().resolve_command(ctx, args)
        known = {path.rpartition(" ")[2]: path for path in self._paths(ctx)}
        near = difflib.get_close_matches(name.replace("_", "-"), known, n=1)
        meant = f" Did you mean '{ctx.command_path} {known[near[0]]}'?" if near else ""
        raise click.UsageError(f"No such command '{name}'.{meant}", ctx)

    def _paths(self, ctx: click.Context) -> Iterator[str]:
        """The subcommands, after those of subgroups: `data validate`, `validate`."""
        names = self.list_commands(ctx)
        for name in names:
            with suppress(click.ClickException):  # its package is not installed
                if isinstance(command := self.get_command(ctx, name), click.Group):
                    yield from (f"{name} {inner}" for inner in command.list_commands(ctx))
        yield from names


class Commands(SuggestingGroup):
    """Subcommands named by entry points and imported only when called, so that `--help` stays fast."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.entry_points: Mapping[str, EntryPoint] = {
            point.name: point for point in entry_points(group=COMMANDS_GROUP)
        }

    def main(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Run the command line; a wrong one is reported in the same style as every other error."""
        try:
            code = super().main(*args, **{**kwargs, "standalone_mode": False})
        except click.ClickException as error:
            if isinstance(error, click.UsageError) and error.ctx is not None:
                click.echo(error.ctx.get_usage(), err=True)
            click.secho(f"error (InvalidUsage): {error.format_message()}", fg="red", err=True)
            if isinstance(error, click.UsageError) and error.ctx is not None:
                click.echo(f"  -> See: {error.ctx.command_path} --help", err=True)
            sys.exit(error.exit_code)
        sys.exit(code if isinstance(code, int) else 0)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all subcommands, sorted."""
        return sorted(self.entry_points)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The subcommand, imported now.

        Raises:
            click.ClickException: a package it needs is not installed.
        """
        if cmd_name not in self.entry_points:
            return None
        try:
            command = self.entry_points[cmd_name].load()
        except ModuleNotFoundError as error:
            package = self.entry_points[cmd_name].value.partition(".")[0]
            extra = package.removeprefix("finscribe_")
            raise not_installed(cmd_name, error, extra) from error
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the subcommand; on Ctrl+C click itself would exit with 1, as for a wrong option.

        Raises:
            RetryableError: Interrupted.
        """
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, click.Abort):
            raise RetryableError(FailureReason.Interrupted, "Stopped by Ctrl+C.") from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List every subcommand with its first line of help; one that can't be imported says why."""
        for package, title in SECTIONS.items():
            rows = []
            for name in self.list_commands(ctx):
                if not self.entry_points[name].value.startswith(f"{package}."):
                    continue
                try:
                    command = self.get_command(ctx, name)
                    rows.append((name, command.get_short_help_str(80) if command else ""))
                except click.ClickException as error:
                    rows.append((name, f"(not installed) {error.message}"))
            with formatter.section(title):
                formatter.write_dl(rows)


def not_installed(command: str, error: ModuleNotFoundError, extra: str) -> click.ClickException:
    """The error for a command whose package is missing, with the `pip install` that adds it."""
    return click.ClickException(
        f"`finscribe {command}` needs the package {error.name}, which is not installed. "
        f"In a checkout of FinScribe run: pip install '.[{extra}]'"
    )


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("finscribe"), prog_name="finscribe")
def main_command() -> None:
    """Fine-tune PaddleOCR-VL on your own financial documents, on a laptop or on Kubernetes."""


def main() -> None:
    """Run the command line; a FinscribeError prints its message and exits with its code, without a traceback.

    Any other exception is a defect: it prints its traceback and exits with EXIT_INTERNAL.
    """
    try:
        main_command()
    except FinscribeError as error:
        exit_with(error)
    except Exception as error:
        if known := classify_disk_error(error):
            exit_with(known)
        click.echo(Redactor(os.environ)(traceback.format_exc()), err=True, nl=False)
        click.secho(
            "error (InternalError): this is a defect of FinScribe, please report it.", fg="red", err=True
        )
        sys.exit(EXIT_INTERNAL)


def exit_with(error: FinscribeError) -> NoReturn:
    """Print the error and its remedy, without credentials, and exit with its code."""
    message, *remedy = Redactor(os.environ)(error.as_printed()).rsplit("\n  -> ", 1)
    click.secho(message, fg="red", err=True)
    for line in remedy:
        click.echo(f"  -> {line}", err=True)
    sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
