"""Which files hold a data set's rows: one file, or a folder of shards."""

from dataclasses import dataclass
from pathlib import Path

from finscribe_core.errors import FailureReason, UserError

SHARD_SUFFIXES = (".jsonl", ".jsonl.gz", ".parquet")
"""What is read from a folder or prefix; other files in it are left alone."""
ROW_SUFFIXES = (*SHARD_SUFFIXES, ".json")
"""What may be named as a file; a .json file holds a row a line, too."""


@dataclass(frozen=True)
class DataFile:
    """Rows on this machine: a file, or a folder of shards."""

    path: Path
    source: str
    """How messages call it: the URI or path that the user wrote."""

    @property
    def root(self) -> Path:
        """The folder that images are named relative to."""
        return self.path if self.path.is_dir() else self.path.parent

    def shards(self) -> list["DataFile"]:
        """The files themselves, sorted by name.

        Raises:
            UserError: DatasetNotFound when there is none; DatasetInvalid when its name is none of rows.
        """
        if self.path.is_dir():
            names = sorted(
                path.name for path in self.path.iterdir() if is_shard(path.name) and not path.is_dir()
            )
            if not names:
                raise no_shard(self.source)
            return [DataFile(self.path / name, f"{self.source.rstrip('/')}/{name}") for name in names]
        if not self.path.is_file():
            raise UserError(
                FailureReason.DatasetNotFound,
                f"{self.source}: no such file or folder.",
                "Check the path: a file of rows, or a folder of them.",
            )
        check_suffix(self.source)
        return [self]


def is_shard(name: str) -> bool:
    """Whether a file of a folder or prefix holds rows; hidden files do not."""
    return name.endswith(SHARD_SUFFIXES) and not name.startswith(".")


def check_suffix(source: str) -> None:
    """Refuse a file that is named as none of rows.

    Raises:
        UserError: DatasetInvalid.
    """
    if not source.endswith(ROW_SUFFIXES):
        raise UserError(
            FailureReason.DatasetInvalid,
            f"{source}: rows are read from {', '.join(SHARD_SUFFIXES)} files.",
            "Name such a file, or a folder of them; end an s3:// prefix with '/'.",
        )


def no_shard(source: str) -> UserError:
    """The error of a folder or prefix without any rows' file."""
    return UserError(
        FailureReason.DatasetNotFound,
        f"{source}: no {', '.join(SHARD_SUFFIXES)} file lies directly in it.",
        "Name the folder or prefix that holds the rows' files themselves.",
    )
