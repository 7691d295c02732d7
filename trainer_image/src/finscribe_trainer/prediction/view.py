"""Renders predictions as a self-contained HTML page without scripts (view.html.jinja)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from finscribe_core.atomic_files import write_atomically
from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.documents.numbers import dump_json
from finscribe_trainer.documents.paths import leaves
from finscribe_trainer.evaluation.report.environment import page_environment
from finscribe_trainer.evaluation.report.page_images import PageImage, page_image
from finscribe_trainer.prediction.documents import Document
from finscribe_trainer.prediction.records import Prediction, counts
from finscribe_trainer.runtime.files import check_writable

TITLE = "Answers of the model"
SHOWN_DOCUMENTS = 200
"""Maximum number of documents on the page: each takes about 100 kB."""
_SHOWN_PAGES = 4
_LOW = 0.9
"""Fields of a lower confidence are marked."""


@dataclass(frozen=True)
class _Field:
    path: str
    value: str
    confidence: float | None
    problem: str

    @property
    def is_marked(self) -> bool:
        """Whether a reader should compare it with the page."""
        return bool(self.problem) or self.confidence is None or self.confidence < _LOW


@dataclass(frozen=True)
class _View:
    """A document with what the page shows of it."""

    prediction: Prediction
    pages: list[PageImage | None]
    fields: list[_Field]
    problems: list[str]
    """Those that belong to none of the fields."""


def check_view(path: Path) -> None:
    """Check that the page can be written; an earlier one is replaced, any other file is not.

    Raises:
        UserError: InvalidConfig.
    """
    check_writable(path)
    if path.is_file():
        with path.open("rb") as file:
            if TITLE.encode() in file.read(1000):
                return
        raise UserError(
            FailureReason.InvalidConfig,
            f"{path} exists and is not a page of `finscribe predict`.",
            "Pass another --html, or move the file.",
        )


def write_view(path: Path, answered: Sequence[tuple[Document, Prediction]]) -> None:
    """Write the page: documents with errors and problems first, then those with the least certain fields."""
    ordered = sorted(answered, key=lambda pair: (not _has_problem(pair[1]), pair[1].least_confident))
    shown = ordered[:SHOWN_DOCUMENTS]
    template = page_environment(Path(__file__).parent).get_template("view.html.jinja")
    page = template.render(
        title=TITLE,
        counts=counts(prediction for _, prediction in answered),
        views=[_view(document, prediction) for document, prediction in shown],
        unshown=len(ordered) - len(shown),
    )
    write_atomically(path, page.encode(errors="replace"))


def _has_problem(prediction: Prediction) -> bool:
    return prediction.answer is None or prediction.repaired or bool(prediction.problems)


def _view(document: Document, prediction: Prediction) -> _View:
    pages = document.example.images[:_SHOWN_PAGES] if document.example else ()
    by_path = {problem.path: problem.message for problem in reversed(prediction.problems)}
    fields = list(_fields(prediction, by_path))
    named = {field.path for field in fields}
    problems = [problem.text for problem in prediction.problems if problem.path not in named]
    return _View(prediction, [page_image(page) for page in pages], fields, problems)


def _fields(prediction: Prediction, problems: dict[str, str]) -> Iterable[_Field]:
    for path, value in leaves(prediction.answer):
        text = value if isinstance(value, str) else dump_json(value)
        yield _Field(path, text, prediction.confidence.get(path), problems.get(path, ""))
