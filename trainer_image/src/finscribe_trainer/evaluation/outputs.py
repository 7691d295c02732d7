"""Whether a file can be written, found out before hours of reading."""

import tempfile
from pathlib import Path

from finscribe_core.errors import FailureReason, UserError


def check_writable(output: Path) -> None:
    """Make the folder of a file that is to be written, and try to write there.

    Raises:
        UserError: InvalidConfig when that fails, or something that is no file stands in its place.
    """
    problem = None
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=output.parent):
            pass
        if output.exists() and not output.is_file():
            problem = "is no file"
    except OSError as error:
        problem = f"can't be written: {error.strerror}"
    if problem:
        raise UserError(FailureReason.InvalidConfig, f"{output} {problem}.", "Name another --output.")
