"""Finds the documents to read: images, PDFs, folders, rows without answers, and the same in a bucket."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from finscribe_core.errors import FailureReason, UserError
from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.data.dataset import Example
from finscribe_trainer.data.document_pages import PageOptions
from finscribe_trainer.data.exports import export_of_row
from finscribe_trainer.data.fetch import fetch_images
from finscribe_trainer.data.file_texts import names_file
from finscribe_trainer.data.files import ROW_SUFFIXES, DataFile
from finscribe_trainer.data.image_check import ImageCheck
from finscribe_trainer.data.image_folders import Folder, ImageError, ImageFolders
from finscribe_trainer.data.images import hash_image
from finscribe_trainer.data.page_process import PageProcess
from finscribe_trainer.data.row_dialects import lacks_prompt
from finscribe_trainer.data.row_fields import RowError
from finscribe_trainer.data.row_reader import scan_values
from finscribe_trainer.data.rows import Row, Turn, parse_row
from finscribe_trainer.data.table_images import TableImage
from finscribe_trainer.documents.numbers import dump_json
from finscribe_trainer.documents.problems import Problem
from finscribe_trainer.storage import Storage
from finscribe_trainer.storage.uri import is_s3_uri, local_path

_MAX_IMAGE_PIXELS: int = TrainerConfig.model_fields["max_image_pixels"].default
_PAGED_SUFFIXES = (".pdf", ".tif", ".tiff", ".heic", ".heif", ".jp2", ".j2k", ".jpx")
"""Documents whose pages are written as images, unless they are one that can be read as it is."""
_NO_ANSWER = "?"
"""Completes a row without an answer, to be parsed as one with an answer."""


@dataclass(frozen=True)
class Document:
    """A document to read."""

    name: str
    """The file's path as the user names it, its s3:// URI, or `file:line` of a row."""
    example: Example | None
    """The document; None if it can't be read."""
    error: str = ""
    """Why it can't be read."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the prompt and the images."""
        assert self.example is not None
        turns = [[turn.role, turn.text, turn.num_images] for turn in self.example.row.turns]
        return hashlib.sha256(dump_json([turns, [*self.example.image_hashes]]).encode()).hexdigest()


@dataclass(frozen=True)
class _Source:
    """The documents of one input: their names, with a row or the reason why there is none."""

    folders: ImageFolders
    rows: Sequence[tuple[str, Row | str]]


def find_documents(
    inputs: Sequence[str], prompt: str, pages: PageOptions, downloads: Path, storage: Storage
) -> list[Document]:
    """Find the documents of all inputs, and check their images; each document once.

    Args:
        inputs: files, folders, and s3:// URIs of objects or (with a slash at the end) prefixes.
        prompt: for documents that have none of their own.
        pages: how PDFs and other documents of several pages are read.
        downloads: folder for objects of a bucket, and for pages of documents.
        storage: where to download them from.

    Raises:
        UserError: DatasetNotFound when an input does not exist or has no document.
    """
    found: dict[str, Document] = {}
    for name in inputs:
        source = _in_bucket(name, prompt, downloads, storage) if is_s3_uri(name) else _local(name, prompt)
        if not source.rows:
            raise UserError(
                FailureReason.DatasetNotFound,
                f"{name} contains no document.",
                "Name image files, a folder or prefix that contains some, or a file of rows.",
            )
        for part in _with_pages(source, pages, downloads / "pages"):
            for document in _checked(part):
                found.setdefault(document.name, document)
    return list(found.values())


def _with_pages(source: _Source, options: PageOptions, folder: Path) -> Iterator[_Source]:
    """The source in parts, in its order: each document of pages is one, with its pages as images."""
    rest: list[tuple[str, Row | str]] = []
    with PageProcess(options) as process:
        for name, row in source.rows:
            if isinstance(row, str) or not name.lower().endswith(_PAGED_SUFFIXES):
                rest.append((name, row))
                continue
            try:
                file = source.folders.find(row.images[0])
                if isinstance(file, TableImage):
                    rest.append((name, row))
                    continue
                folder.mkdir(parents=True, exist_ok=True)
                images = tuple(page.name for page in process.write(file, folder / hash_image(file)[:16]))
            except ImageError as error:
                rest.append((name, str(error)))
                continue
            if not images:
                rest.append((name, row))
                continue
            yield replace(source, rows=rest)
            rest = []
            [turn] = row.turns
            paged = Row((replace(turn, num_images=len(images)),), "", images)
            yield _Source(ImageFolders(Folder(str(folder), folder)), [(name, paged)])
    yield replace(source, rows=rest)


def _local(name: str, prompt: str) -> _Source:
    path = Path(name).expanduser()
    if path.is_dir():
        inside = sorted(file.relative_to(path) for file in path.rglob("*") if file.is_file())
        pages = [file for file in inside if _is_page(file.as_posix())]
        rows = [(str(Path(name) / page), _page(page.as_posix(), prompt)) for page in pages]
        return _Source(ImageFolders(Folder(name, path)), rows)
    if not path.is_file():
        raise UserError(
            FailureReason.DatasetNotFound, f"{name}: no such file or folder.", "Check the path of this input."
        )
    if name.lower().endswith(ROW_SUFFIXES):
        return _rows(DataFile(path, name), prompt)
    file = path.resolve()
    return _Source(ImageFolders(Folder(str(file.parent), file.parent)), [(name, _page(file.name, prompt))])


def _in_bucket(uri: str, prompt: str, downloads: Path, storage: Storage) -> _Source:
    prefix, _, last = uri.rpartition("/")
    folder = downloads / prefix.removeprefix("s3://")
    if last:
        file = local_path(folder, last)
        storage.fetch_objects([(uri, file)])
        if last.lower().endswith(ROW_SUFFIXES):
            rows = DataFile(file, uri)
            source = _rows(rows, prompt)
            names = [name for _, row in source.rows if isinstance(row, Row) for name in row.images]
            fetch_images(rows, names, storage)
            return source
    names = [last] if last else list(filter(_is_page, storage.names(uri, deep=True)))
    storage.fetch_objects([(f"{prefix}/{name}", local_path(folder, name)) for name in names])
    return _Source(
        ImageFolders(Folder(prefix, folder)), [(f"{prefix}/{name}", _page(name, prompt)) for name in names]
    )


def _is_page(name: str) -> bool:
    """Whether a file in a folder is a document: an image, or one in a format that is then refused by name."""
    parts = name.split("/")
    return not any(part.startswith(".") for part in parts) and names_file(parts[-1])


def _page(name: str, prompt: str) -> Row:
    return Row((Turn("user", prompt, 1),), "", (name,))


def _rows(file: DataFile, prompt: str) -> _Source:
    return _Source(file.images, list(_parsed(file, prompt)))


def _parsed(file: DataFile, prompt: str) -> Iterator[tuple[str, Row | str]]:
    for where, value in scan_values(file):
        if isinstance(value, Problem):
            yield where, value.message
            continue
        try:
            yield where, replace(parse_row(_completed(value, prompt), file.root), completion="")
        except RowError as error:
            yield where, str(error)


def _completed(data: Any, prompt: str) -> Any:
    """A row with an answer and a prompt, if it has none."""
    if not isinstance(data, dict):
        return data
    if isinstance(messages := data.get("messages"), list):
        last = messages[-1] if messages else None
        answered = isinstance(last, dict) and last.get("role") == "assistant"
        prompts = messages[:-1] if answered else messages
        return {**data, "messages": [*prompts, {"role": "assistant", "content": _NO_ANSWER}]}
    if "prompt" in data:
        return {**data, "completion": _NO_ANSWER}
    names_document = data.keys() & {"image", "images", "input"} and export_of_row(data) is None
    if "instruction" in data or names_document or lacks_prompt(data):
        return {"instruction": prompt, **data, "output": _NO_ANSWER}
    return data


def _checked(source: _Source) -> Iterable[Document]:
    names = [name for _, row in source.rows if isinstance(row, Row) for name in row.images]
    with ImageCheck(source.folders, _MAX_IMAGE_PIXELS) as check:
        images = check.check(names)
    for document, row in source.rows:
        if isinstance(row, str):
            yield Document(document, None, row)
            continue
        pages = [images[name] for name in row.images]
        errors = [page for page in pages if isinstance(page, ImageError)]
        if errors:
            yield Document(document, None, str(errors[0]))
            continue
        valid = [page for page in pages if not isinstance(page, ImageError)]
        example = Example(
            row,
            document,
            tuple(page.path for page in valid),
            tuple(page.size for page in valid),
            tuple(page.sha256 for page in valid),
            tuple(page.published_name for page in valid),
        )
        yield Document(document, example)
