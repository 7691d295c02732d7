"""Reads documents with a model, and writes the answers; a document that can't be read stops no other."""

import logging
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from finscribe_core.atomic_files import write_atomically
from finscribe_core.errors import FailureReason, FinscribeError, UserError
from finscribe_core.trainer_config import StorageEndpoint
from finscribe_trainer.data.document_pages import PageOptions
from finscribe_trainer.data_tools.validate.answers import AnswerCheck
from finscribe_trainer.evaluation.calibration import read_calibration
from finscribe_trainer.evaluation.generation import Answer, AnswerGenerator
from finscribe_trainer.evaluation.loading import LoadedModel, load_model
from finscribe_trainer.evaluation.test_set import download_folder
from finscribe_trainer.metrics.straight_through import PRECISIONS
from finscribe_trainer.model.families.prompt_check import DROPPED, prompt_problems
from finscribe_trainer.prediction.answers_file import AnswersFile
from finscribe_trainer.prediction.documents import Document, find_documents
from finscribe_trainer.prediction.drafts import write_drafts
from finscribe_trainer.prediction.formats import Format, render
from finscribe_trainer.prediction.records import Prediction, Review, reviewed, to_prediction
from finscribe_trainer.prediction.view import check_view, write_view
from finscribe_trainer.runtime.outputs import claim_files
from finscribe_trainer.runtime.progress import progress
from finscribe_trainer.storage import Storage

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Request:
    """What to read, with which model, and how."""

    inputs: Sequence[str]
    """See `find_documents`."""
    model: str
    """An adapter's or a model's folder, an s3:// prefix, or a hub id."""
    base_model: str | None
    """The adapter's base model, instead of the one in its adapter_config.json."""
    prompt: str
    """For documents that have none of their own."""
    schema: str | None
    """See `load_schema`."""
    max_new_tokens: int
    """Tokens after which an answer is cut off."""
    batch_size: int
    """Documents per batch."""
    pages: PageOptions
    """How PDFs and other documents of several pages are read."""
    precision: float = PRECISIONS[0]
    """The share of right documents, among those that need no review, that is asked for."""


@dataclass(frozen=True)
class Outputs:
    """Where to write the answers."""

    file: Path | None
    """None: to standard output."""
    format: Format
    draft: Path | None = None
    """Rows for review."""
    view: Path | None = None
    """The HTML page."""
    overwrite: bool = False
    """Whether earlier answers and reviews are discarded."""


def predict_to_files(
    request: Request, outputs: Outputs, show: Callable[[Prediction], None] = lambda _: None
) -> list[Prediction]:
    """Read the documents and write all outputs; documents that have an answer in the output are skipped.

    Args:
        request: what to read.
        outputs: where to write.
        show: called with each new prediction.

    Returns:
        the predictions of all documents, in the order of the inputs.

    Raises:
        UserError: an input does not exist; an output exists; the model can't be loaded.
        RetryableError: the storage or the hub is unavailable, or another process writes the output.
    """
    check = AnswerCheck(request.schema)
    with _claimed(outputs) as (answers, downloads):
        storage = Storage.from_config(StorageEndpoint())
        documents = find_documents(request.inputs, request.prompt, request.pages, downloads, storage)
        loaded = load_model(request.model, request.base_model, downloads, storage)
        answers.require_model(loaded.info.fingerprint)
        review = _review(loaded, request.precision)
        known = _answered(documents, answers.predictions, request.max_new_tokens)
        missing = [document for document in documents if document.name not in known]
        answers.open()
        try:
            new = predict(loaded, missing, request, check, review)
            for prediction in progress(
                new, "Read", total=len(documents), completed=len(known), unit="documents"
            ):
                answers.add(prediction)
                show(prediction)
        finally:
            answers.close()
        for name in known:  # read before, maybe with another calibration or for another precision
            answers.predictions[name] = reviewed(answers.predictions[name], review)
        pairs = [(document, answers.predictions[document.name]) for document in documents]
        _write(outputs, answers, pairs)
        return [prediction for _, prediction in pairs]


def _review(loaded: LoadedModel, precision: float) -> Review | None:
    """What decides which answers need review; None for a model without calibration."""
    calibration = read_calibration(loaded.folder) if loaded.folder else None
    if calibration is None:
        return None
    if calibration.threshold(precision) is None:
        log.warning(
            "all documents need review, as %g %% can't be promised: %s",
            100 * precision,
            calibration.why_no_threshold(precision),
        )
    return Review(calibration, precision)


def predict(
    loaded: LoadedModel,
    documents: Sequence[Document],
    request: Request,
    check: AnswerCheck,
    review: Review | None = None,
) -> Iterator[Prediction]:
    """Read documents in batches; those that can't be read come first, each with its error."""
    model = loaded.info.fingerprint
    readable = []
    for document in documents:
        if error := _error(document, loaded):
            yield reviewed(Prediction(document.name, error=error), review)
        else:
            readable.append(document)
    generator = AnswerGenerator(
        loaded.model,
        loaded.family,
        request.max_new_tokens,
        request.batch_size,
        features=loaded.features,
        score_tokens=True,
    )
    for document, answer in _answers(generator, readable):
        if isinstance(answer, Answer):
            yield to_prediction(document.name, answer, check, model, document.fingerprint, review)
        else:
            yield reviewed(Prediction(document.name, error=answer), review)


def _error(document: Document, loaded: LoadedModel) -> str:
    """Why a document can't be read; empty if it can be."""
    if document.example is None:
        return document.error
    problems = prompt_problems(document.example.row, loaded.family)
    return next((problem.message for problem in problems if problem.rule != DROPPED), "")


def _answers(
    generator: AnswerGenerator, documents: Iterable[Document]
) -> Iterator[tuple[Document, Answer | str]]:
    """The answer of each document, or its error; documents of similar lengths share a batch."""
    read = [(document, document.example) for document in documents if document.example is not None]
    read.sort(key=lambda pair: generator.family.count_prompt_tokens(pair[1]), reverse=True)
    size = generator.batch_size
    for batch in (read[first : first + size] for first in range(0, len(read), size)):
        try:
            found = list(generator.generate([example for _, example in batch]))
            yield from ((batch[answer.index][0], answer) for answer in found)
        except (FinscribeError, OSError, ValueError) as error:
            if len(batch) == 1:
                yield batch[0][0], error.message if isinstance(error, FinscribeError) else str(error)
                continue
            log.warning("a batch of %d documents failed (%s): reading them one by one", len(batch), error)
            for document, _ in batch:
                yield from _answers(generator, [document])


def _answered(
    documents: Iterable[Document], found: Mapping[str, Prediction], max_new_tokens: int
) -> set[str]:
    """The names of the documents whose answer is complete, and of the same content and prompt."""
    names = set()
    for document in documents:
        earlier = found.get(document.name)
        if earlier is None or earlier.error is not None or document.example is None:
            continue
        longer = earlier.cut_off and earlier.tokens < max_new_tokens
        if earlier.document == document.fingerprint and not longer:
            names.add(document.name)
    return names


@contextmanager
def _claimed(outputs: Outputs) -> Iterator[tuple[AnswersFile, Path]]:
    """The file of the answers so far, and the folder of downloads."""
    with ExitStack() as stack:
        if outputs.draft is not None:
            stack.enter_context(claim_files(outputs.draft, overwrite=outputs.overwrite))
        if outputs.view is not None:
            check_view(outputs.view)
        if outputs.file is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            yield AnswersFile(folder / "answers.jsonl"), folder / "inputs"
            return
        is_journal = outputs.format is Format.jsonl
        stack.enter_context(claim_files(outputs.file, overwrite=outputs.overwrite or is_journal))
        path = outputs.file if is_journal else partial_path(outputs.file)
        if outputs.overwrite:
            path.unlink(missing_ok=True)
        yield AnswersFile(path), download_folder(outputs.file)


def partial_path(output: Path) -> Path:
    """The file of the answers so far, for an output that is written at the end."""
    return output.with_name(f"{output.name}.partial.jsonl")


def _write(outputs: Outputs, answers: AnswersFile, pairs: Sequence[tuple[Document, Prediction]]) -> None:
    answers.rewrite(document.name for document, _ in pairs)
    if outputs.draft is not None:
        write_drafts(outputs.draft, pairs)
    if outputs.view is not None:
        write_view(outputs.view, pairs)
    if outputs.file is not None and outputs.format is not Format.jsonl:
        write_atomically(outputs.file, render([prediction for _, prediction in pairs], outputs.format))
        answers.path.unlink()


def failed_documents(predictions: Iterable[Prediction]) -> UserError | None:
    """The error that lists the documents that could not be read; None when there are none."""
    lines = [f"{each.file}: {each.error}" for each in predictions if each.error is not None]
    if not lines:
        return None
    more = len(lines) - _SHOWN
    shown = [*lines[:_SHOWN], *([f"... and {more} more."] if more > 0 else [])]
    return UserError(
        FailureReason.DatasetInvalid,
        "\n".join([*shown, f"{len(lines)} documents could not be read; all others are answered."]),
        "Correct these documents and run the command again: it reads only what has no answer.",
    )


_SHOWN = 20
"""Documents listed in the error at the end."""
