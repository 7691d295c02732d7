"""Exit code and message of the `finscribe` command for path errors, a full disk and defects."""

import errno

import click
import pytest
from click.testing import CliRunner

from finscribe_core import cli
from finscribe_core.errors import FailureReason, UserError

CASES = {
    "a folder that is a file": (
        NotADirectoryError(errno.ENOTDIR, "Not a directory", "notes.txt/sample"),
        78,
        "error (InvalidConfig): notes.txt/sample can't be used: Not a directory.",
    ),
    "a symbolic link to itself": (
        OSError(errno.ELOOP, "Too many levels of symbolic links", "loop/out"),
        78,
        "error (InvalidConfig): loop/out can't be used: Too many levels",
    ),
    "a folder that can't be made": (
        FileNotFoundError(errno.ENOENT, "No such file or directory", "/proc/out"),
        78,
        "error (InvalidConfig): /proc/out can't be used: No such file or directory.",
    ),
    "no permission": (
        PermissionError(errno.EACCES, "Permission denied", "/root/out"),
        78,
        "error (InvalidConfig): /root/out can't be used: Permission denied.",
    ),
    "a full disk": (
        OSError(errno.ENOSPC, "No space left on device"),
        75,
        "error (DiskFull): No space is left on the disk",
    ),
}


def fail_with(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def command() -> None:
        raise error

    monkeypatch.setattr(cli, "main_command", command)
    cli.main()


@pytest.mark.parametrize(("error", "code", "message"), CASES.values(), ids=CASES)
def test_a_disk_error_is_reported_in_one_line(error, code, message, monkeypatch, capsys):
    with pytest.raises(SystemExit) as caught:
        fail_with(error, monkeypatch)
    assert caught.value.code == code
    assert capsys.readouterr().err.startswith(message)


@pytest.mark.parametrize("stopped", [KeyboardInterrupt, click.Abort])
def test_a_command_that_is_interrupted_exits_as_retryable(stopped, monkeypatch, capsys):
    @click.command()
    def command() -> None:
        raise stopped

    monkeypatch.setattr(cli.main_command, "get_command", lambda *_: command)
    monkeypatch.setattr("sys.argv", ["finscribe", "sample"])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 75
    assert "error (Interrupted): Stopped by Ctrl+C." in capsys.readouterr().err


def test_any_other_exception_is_reported_as_a_defect_with_its_traceback(monkeypatch, capsys):
    with pytest.raises(SystemExit) as caught:
        fail_with(ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), monkeypatch)
    assert caught.value.code == 70
    printed = capsys.readouterr().err
    assert printed.startswith("Traceback")
    assert "error (InternalError)" in printed


TYPOS = {
    ("trian",): "finscribe train",
    ("lr_finder",): "finscribe lr-finder",
    ("validate",): "finscribe data validate",
    ("data", "vaildate"): "finscribe data validate",
    ("experiments", "rnu"): "finscribe experiments run",
}


@pytest.mark.parametrize(("arguments", "meant"), TYPOS.items())
def test_a_mistyped_command_names_the_one_that_is_meant(arguments, meant):
    result = CliRunner().invoke(cli.main_command, list(arguments), prog_name="finscribe")
    assert result.exit_code == 2
    assert f"Did you mean '{meant}'?" in result.output


def test_a_word_like_no_command_gets_no_suggestion():
    result = CliRunner().invoke(cli.main_command, ["xyzzy"], prog_name="finscribe")
    assert "Did you mean" not in result.output


def test_the_remedy_for_a_missing_package_installs_this_checkout():
    error = cli.not_installed("train", ModuleNotFoundError(name="torch"), "trainer")
    assert error.message.endswith("In a checkout of FinScribe run: pip install '.[trainer]'")


def test_all_errors_have_one_style():
    wrong = CliRunner().invoke(cli.main_command, ["train", "--confg", "x"], prog_name="finscribe")
    assert wrong.exit_code == 2
    assert "error (InvalidUsage): No such option '--confg'. Did you mean '--config'?" in wrong.output
    assert "  -> See: finscribe train --help" in wrong.output
    error = UserError(FailureReason.InvalidConfig, "Two lines:\nlike this.", "Do that.")
    assert error.as_printed() == "error (InvalidConfig): Two lines:\nlike this.\n  -> Do that."


def test_the_help_lists_every_command_once():
    listed = (
        CliRunner()
        .invoke(cli.main_command, ["--help"])
        .output.partition("--help  Show this message and exit.")[2]
    )
    names = [line.split()[0] for line in listed.splitlines() if line.startswith("  ") and line[2] != " "]
    assert sorted(names) == sorted(cli.main_command.list_commands(click.Context(cli.main_command)))
