"""Reads the answers of base and tuned model, and the pages of their documents, by the trainer's code."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from jinja2 import Environment

from finscribe_client.bucket import Result
from finscribe_client.errors import ClientError, ClientReason
from finscribe_client.ui.run_view import AnswerFiles
from finscribe_core.constants import EVALUATION_PREFIX
from finscribe_core.errors import FailureReason, FinscribeError
from finscribe_trainer.data.image_folders import Folder, ImageError, ImageFolders
from finscribe_trainer.data.table_images import ImageFile
from finscribe_trainer.evaluation.compare import Comparison, DocumentComparison, compare
from finscribe_trainer.evaluation.report.boxes import boxes_by_row
from finscribe_trainer.evaluation.report.document_view import (
    FILTERS,
    DocumentView,
    document_type_of,
    filters_of,
    view_document,
)
from finscribe_trainer.evaluation.report.environment import page_environment
from finscribe_trainer.evaluation.report.labels import LABELS
from finscribe_trainer.evaluation.report.page_images import PageImage, page_image
from finscribe_trainer.evaluation.report.summary import caveats, summary_sentence
from finscribe_trainer.evaluation.results import BASE_RESULTS, TUNED_RESULTS, read_results
from finscribe_trainer.storage.uri import is_s3_uri

SORTS: dict[str, tuple[str, Callable[["DocumentRow"], tuple[float, ...]]]] = {
    "change": ("Most regressed first", lambda row: (row.document.change, row.number)),
    "tuned": ("Least correct first", lambda row: (row.document.tuned_accuracy, row.number)),
    "best": ("Most correct first", lambda row: (-row.document.tuned_accuracy, row.number)),
    "rows": ("In the order of the rows", lambda row: (row.number,)),
}
"""Label and order of each way to sort documents."""
_PAGE_PIXELS = 1400


@dataclass(frozen=True)
class DocumentRow:
    """A document in the list."""

    number: int
    """Its place among the rows, from 1 on."""
    document: DocumentComparison
    document_type: str
    filters: tuple[str, ...]

    def has(self, text: str) -> bool:
        """Whether its row, its ground truth or an answer contains a text, in any case."""
        base, tuned = self.document.base, self.document.tuned
        return any(
            text.casefold() in one.casefold()
            for one in (base.where, base.gold, base.predicted, tuned.predicted)
        )


@dataclass(frozen=True)
class Choice:
    """Which documents are listed, and in which order."""

    show: str = ""
    """A key of FILTERS; all when empty."""
    document_type: str = ""
    text: str = ""
    sort: str = "change"


class Evaluation:
    """Base and tuned model's answers on the same documents."""

    def __init__(self, files: AnswerFiles) -> None:
        self._files = files
        versions = _version(files.base), _version(files.tuned)
        self.comparison, self.rows = _compare(files.base, files.tuned, versions)

    @property
    def summary(self) -> str:
        """The result in a sentence."""
        return summary_sentence(self.comparison)

    @property
    def notes(self) -> list[str]:
        """What affects the interpretation."""
        return caveats(self.comparison)

    @property
    def labels(self) -> dict[str, str]:
        """Names of the metrics."""
        return {str(metric): label for metric, label in LABELS.items()}

    @property
    def filters(self) -> list[tuple[str, str, int]]:
        """(key, label, documents) of each filter that fits a document."""
        counts = {name: sum(name in row.filters for row in self.rows) for name in FILTERS}
        return [(name, label, counts[name]) for name, label in FILTERS.items() if counts[name]]

    @property
    def types(self) -> list[str]:
        """The types of documents, by name."""
        return sorted({row.document_type for row in self.rows})

    def chosen(self, choice: Choice) -> list[DocumentRow]:
        """The documents that fit, in the order that was chosen."""
        fitting = (
            row
            for row in self.rows
            if (not choice.show or choice.show in row.filters)
            and (not choice.document_type or choice.document_type == row.document_type)
            and (not choice.text or row.has(choice.text))
        )
        _, order = SORTS.get(choice.sort, SORTS["change"])
        return sorted(fitting, key=order)

    def row(self, number: int) -> DocumentRow:
        """A document.

        Raises:
            ClientError: NotFound.
        """
        for row in self.rows:
            if row.number == number:
                return row
        raise ClientError(ClientReason.NotFound, f"There is no document {number}.")

    def view(self, row: DocumentRow) -> DocumentView:
        """What a page shows of a document."""
        where = row.document.base.where
        boxes = boxes_by_row(self.comparison.base.data.source, [where])
        return view_document(row.document, boxes.get(where, ()))

    def page(self, row: DocumentRow, place: int) -> PageImage | None:
        """A page of a document, by its place from 0 on; None if it can't be read here."""
        names = row.document.base.images
        if not 0 <= place < len(names):
            return None
        path = self._files.page_file(self.comparison.base.data.source, names[place])
        return _page(path, _version(path)) if path else None


def pages_environment(folder: Path) -> Environment:
    """The templates of the web view, with those of a document in reports."""
    return page_environment(folder)


def local_page(source: str, name: str, folder: Path) -> ImageFile | None:
    """The file of a page that a row names; None if it is not on this machine, or outside the rows' folder.

    Args:
        source: the file or folder of the rows, as results name it.
        name: the page's name.
        folder: the training's folder, which a relative source may be beside.
    """
    if is_s3_uri(source):
        return None
    place = Path(source.removesuffix(" (held out)")).expanduser()
    for root in (Path(), folder.parent, folder):
        rows = root / place if (root / place).is_dir() else (root / place).parent
        try:
            return ImageFolders(Folder(str(rows), rows)).find(name)
        except ImageError:
            continue
    return None


def fetch_answers(result: Result, folder: Path) -> AnswerFiles:
    """Download a run's answers; pages follow when they are looked at."""
    storage, missing = result.storage, FailureReason.ResultNotFound
    base, tuned = folder / BASE_RESULTS, folder / TUNED_RESULTS
    for path in (base, tuned):
        uri = f"{result.uri}/{EVALUATION_PREFIX}/{path.name}"
        path.parent.mkdir(parents=True, exist_ok=True)
        storage.fetch_file(uri, path, missing=missing)

    def page_file(source: str, name: str) -> ImageFile | None:
        if not is_s3_uri(source):
            return local_page(source, name, folder)
        prefix = source.rpartition("/")[0] if not source.endswith("/") else source.rstrip("/")
        try:
            objects = ImageFolders(Folder(prefix, folder / "pages")).objects(name)
            for uri, path in objects:
                if not path.exists():
                    path.parent.mkdir(parents=True, exist_ok=True)
                    storage.fetch_file(uri, path, missing=missing)
                return path
        except (ImageError, FinscribeError):
            return None
        return None

    return AnswerFiles(base, tuned, page_file)


def _rows(comparison: Comparison) -> Sequence[DocumentRow]:
    places = {record.where: number for number, record in enumerate(comparison.base.documents, 1)}
    return [
        DocumentRow(places[document.base.where], document, document_type_of(document), filters_of(document))
        for document in comparison.documents
    ]


# Another version of a file is another entry.
@lru_cache(maxsize=4)
def _compare(base: Path, tuned: Path, _: tuple[float, float]) -> tuple[Comparison, Sequence[DocumentRow]]:
    comparison = compare(read_results(base), read_results(tuned))
    return comparison, _rows(comparison)


@lru_cache(maxsize=16)
def _page(path: ImageFile, _: float) -> PageImage | None:
    return page_image(path, _PAGE_PIXELS, 80)


def _version(path: ImageFile) -> float:
    return path.stat().st_mtime
