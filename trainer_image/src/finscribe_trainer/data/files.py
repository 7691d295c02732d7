"""Finds the files of a data set: one file of rows, or a folder of shards."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.data.exports import Export, export_of_files, refusal
from finscribe_trainer.data.image_folders import Folder, ImageFolders
from finscribe_trainer.storage.uri import is_s3_uri
from finscribe_trainer.storage.version import FileVersion

SHARD_SUFFIXES = (".jsonl", ".jsonl.gz", ".parquet")
"""Files of a folder or prefix that are read, in any case of letters; others are ignored."""
ROW_SUFFIXES = (*SHARD_SUFFIXES, ".json")
"""Files that may be named directly; a .json file must contain one row per line, too."""


@dataclass(frozen=True)
class DataFile:
    """A local file of rows, or a folder of shards."""

    path: Path
    source: str
    """The URI or path that the user gave, for messages."""
    image_root: Folder | None = None
    """Another folder that images may be in."""
    downloaded: tuple[FileVersion, ...] = ()
    """The versions of the objects that were downloaded; empty for local files."""

    @property
    def root(self) -> Path:
        """The folder of the rows, which image paths are relative to."""
        return self.path if self.path.is_dir() else self.path.parent

    @property
    def images(self) -> ImageFolders:
        """Where the images of the rows are."""
        source = str(self.root)
        if is_s3_uri(self.source):
            source = self.source.rstrip("/") if self.path.is_dir() else self.source.rpartition("/")[0]
        return ImageFolders(Folder(source, self.root), self.image_root)

    def shards(self) -> list["DataFile"]:
        """The individual files, sorted by name.

        Raises:
            UserError: DatasetNotFound when there is none; DatasetInvalid for an unsupported suffix.
        """
        if self.path.is_dir():
            names = sorted(
                path.name for path in self.path.iterdir() if is_shard(path.name) and not path.is_dir()
            )
            if not names:
                raise no_shard_error(self.source, [path.name for path in self.path.iterdir()])
            return [DataFile(self.path / name, f"{self.source.rstrip('/')}/{name}") for name in names]
        if not self.path.is_file():
            raise UserError(
                FailureReason.DatasetNotFound,
                f"{self.source}: no such file or folder.",
                "Check the path: a file of rows, or a folder of them.",
            )
        check_suffix(self.source)
        return [self]

    def versions(self) -> list[FileVersion]:
        """The versions of the individual files.

        Raises:
            UserError: as `shards`.
        """
        return list(self.downloaded) or [_local_version(shard) for shard in self.shards()]


def _local_version(shard: DataFile) -> FileVersion:
    stat = shard.path.stat()
    return FileVersion(shard.source, str(stat.st_mtime_ns), stat.st_size)


def is_shard(name: str) -> bool:
    """Whether a file in a folder or prefix is read as rows, by its name; hidden files are not."""
    return name.lower().endswith(SHARD_SUFFIXES) and not name.startswith(".")


def check_suffix(source: str) -> None:
    """Reject a file with an unsupported suffix.

    Raises:
        UserError: DatasetInvalid.
    """
    if not source.lower().endswith(ROW_SUFFIXES):
        if export := export_of_files([source.rsplit("/", 1)[-1]]):
            raise _export_error(source, export)
        raise UserError(
            FailureReason.DatasetInvalid,
            f"{source}: rows are read from {', '.join(SHARD_SUFFIXES)} files.",
            "Name such a file, or a folder of them; end an s3:// prefix with '/'.",
        )


def no_shard_error(source: str, names: Iterable[str]) -> UserError:
    """The error for a folder or prefix without a file of rows, by the names of its entries."""
    if export := export_of_files(names):
        return _export_error(source, export)
    return UserError(
        FailureReason.DatasetNotFound,
        f"{source}: no {', '.join(SHARD_SUFFIXES)} file is directly in it.",
        "Name the folder or prefix that directly contains the files of rows, or a .json file itself. For "
        "documents and other programs' data sets, run `finscribe data import IN OUT`, which writes rows.",
    )


def _export_error(source: str, export: Export) -> UserError:
    return UserError(
        FailureReason.DatasetInvalid,
        f"{source}: {refusal(export)}.",
        "Rows are read from " + ", ".join(SHARD_SUFFIXES) + " files; docs/data.md shows each row format.",
    )
