"""Imports a folder or file: writes rows.jsonl, the pages beside it, and a report; continues after a stop."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finscribe_core.atomic_files import write_atomically
from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.data.document_pages import PageOptions
from finscribe_trainer.data.image_folders import ImageError
from finscribe_trainer.data.image_marks import MARK
from finscribe_trainer.data_tools.importing.formats import FORMATS
from finscribe_trainer.data_tools.importing.journal import Journal
from finscribe_trainer.data_tools.importing.mapping import (
    FieldMapping,
    MappingError,
    canonical_fields,
    fields_of,
    read_mapping,
)
from finscribe_trainer.data_tools.importing.page_files import PageFiles
from finscribe_trainer.data_tools.importing.proposal import write_proposal
from finscribe_trainer.data_tools.importing.recognition import AUTO, Recognition, recognise
from finscribe_trainer.data_tools.importing.source import Document, Dropped, Source
from finscribe_trainer.data_tools.importing.text_check import not_in_text
from finscribe_trainer.documents.numbers import dump_json, has_unpaired_surrogate, load_json
from finscribe_trainer.documents.schema import INSTRUCTION, TEXT_INSTRUCTION
from finscribe_trainer.runtime.outputs import claim_folder, remove
from finscribe_trainer.runtime.progress import progress

ROWS, IMAGES, REPORT, JOURNAL = "rows.jsonl", "pages", "import.json", "import.unfinished.jsonl"
CANONICAL, OTHER_FIELDS, TEXT = "canonical", "other fields", "text"
_FREE = ("metadata.", "line_items[].bbox")
"""Fields of the schema that a mapping does not fill, or that have any name."""


@dataclass(frozen=True)
class Request:
    """What is imported, and how."""

    source: Path
    output: Path
    format: str = AUTO
    mapping: Path | None = None
    """Names of fields; a file that does not exist is written as a proposal, and nothing else is."""
    prompt: str | None = None
    """The prompt of documents whose format has none."""
    pages: PageOptions = field(default_factory=PageOptions)
    check_text: bool = False
    """Whether values are looked for in the text layers of PDFs."""


@dataclass
class Outcome:
    """What was done."""

    recognition: Recognition
    proposal: Path | None = None
    """The mapping that was written instead of rows."""
    rows: int = 0
    pages: int = 0
    dropped: list[Dropped] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    """Fields of answers that the mapping does not name, with the number of their documents."""
    kinds: Counter[str] = field(default_factory=Counter)
    """Rows by their answers: CANONICAL, OTHER_FIELDS or TEXT."""
    not_in_text: dict[str, list[str]] = field(default_factory=dict)
    """Fields whose values the text layer does not have, by document."""
    num_texts: int = 0
    """Documents with a text layer, if it was looked for."""


def import_data(request: Request, *, overwrite: bool = False) -> Outcome:
    """Import all documents.

    Raises:
        UserError: DatasetNotFound, DatasetInvalid: the source has no known format, or no document becomes a
            row; InvalidConfig: the output is not empty or the mapping is invalid.
        RetryableError: DiskFull, or another process writes there.
    """
    source = Source(request.source.expanduser())
    recognition = recognise(source, request.format)
    _check_apart(source, request.output)
    documents = FORMATS[recognition.format].read(source)
    if request.mapping and not request.mapping.exists():
        _propose(request.mapping, documents)
        return Outcome(recognition, proposal=request.mapping)
    mapping = read_mapping(request.mapping) if request.mapping else None
    if overwrite and (request.output / REPORT).exists() | (request.output / JOURNAL).exists():
        _remove(request.output)
    with (
        claim_folder(request.output, own=JOURNAL),
        Journal(request.output / JOURNAL, _digest(request, recognition)) as journal,
    ):
        outcome = Outcome(recognition)
        with PageFiles(source, request.output, IMAGES, request.pages) as files:
            for document in progress(documents, "Import", unit="documents"):
                if document.where not in journal:
                    journal.add(document.where, _entry(document, files, mapping, request))
        _finish(request, outcome, journal)
    return outcome


def _check_apart(source: Source, output: Path) -> None:
    if output.resolve().is_relative_to(source.path.resolve()):
        raise UserError(
            FailureReason.InvalidConfig,
            f"{output} is in {source.path}, which would be imported again with it.",
            "Name another output folder.",
        )


def _propose(path: Path, documents: Iterable[Document | Dropped]) -> None:
    answers = [
        answer
        for document in documents
        if isinstance(document, Document) and isinstance(answer := _as_object(document.answer), dict)
    ]
    if not answers:
        raise UserError(
            FailureReason.InvalidConfig,
            "--mapping: no document has an answer with fields.",
            "Leave out --mapping: the answers are texts.",
        )
    write_proposal(path, answers)


def _as_object(answer: Any) -> Any:
    """The object in an answer that is its JSON text; any other answer unchanged."""
    if isinstance(answer, str) and answer.lstrip().startswith("{"):
        try:
            return load_json(answer)
        except ValueError:
            return answer
    return answer


def _entry(
    document: Document | Dropped, files: PageFiles, mapping: FieldMapping | None, request: Request
) -> dict[str, Any]:
    """What the journal keeps of a document: its row, or why it is dropped."""
    if isinstance(document, Dropped):
        return {"dropped": document.reason}
    answer, left_out = document.answer, list[str]()
    try:
        if mapping and isinstance(fields := _as_object(answer), dict):
            answer, left_out = mapping.apply(fields)
        if answer in (None, "", {}, []):
            return {"dropped": "its answer is empty"}
        if has_unpaired_surrogate(dump_json(answer)):
            return {"dropped": "a text of its answer is not Unicode"}
        pages = [files.write(page) for page in document.pages]
        text = "\n".join(map(files.text_layer, document.pages)) if request.check_text else ""
    except (MappingError, ImageError, TypeError) as error:
        return {"dropped": str(error)}
    row = _row(document, pages, answer, request.prompt)
    entry = {"row": row, "left_out": left_out, "kind": _kind(answer)}
    if text.strip() and isinstance(fields := _as_object(answer), dict):
        entry["not_in_text"] = not_in_text(fields, text)
    return entry


def _kind(answer: Any) -> str:
    fields = _as_object(answer)
    if not isinstance(fields, dict):
        return TEXT
    known = canonical_fields()
    others = (path for path, _, _ in fields_of(fields) if path not in known)
    return OTHER_FIELDS if any(not path.startswith(_FREE) for path in others) else CANONICAL


def _row(document: Document, pages: list[list[str]], answer: Any, prompt: str | None) -> dict[str, Any]:
    """The row; each of the document's files may have become several images, whose order is kept."""
    images = [name for names in pages for name in names]
    completion = answer if isinstance(answer, str) else dump_json(answer)
    if not document.turns:
        default = TEXT_INSTRUCTION if isinstance(answer, str) else INSTRUCTION
        return {"prompt": prompt or default, "images": images, "completion": completion}
    if len(document.turns) == 1:
        return {"prompt": document.turns[0].text, "images": images, "completion": completion}
    remaining = iter(pages)
    messages = []
    for turn in document.turns:
        marks = sum(len(next(remaining)) for _ in range(turn.num_images))
        messages.append({"role": turn.role, "content": MARK * marks + turn.text})
    messages.append({"role": "assistant", "content": completion})
    return {"messages": messages, "images": images}


def _finish(request: Request, outcome: Outcome, journal: Journal) -> None:
    """Write the rows and the report, and remove the journal."""
    rows = []
    for where, entry in journal.entries():
        if "row" in entry:
            rows.append(dump_json(entry["row"]))
            outcome.pages += len(entry["row"]["images"])
            outcome.left_out.update(entry["left_out"])
            outcome.kinds[entry["kind"]] += 1
            outcome.num_texts += "not_in_text" in entry
            if missing := entry.get("not_in_text"):
                outcome.not_in_text[where] = missing
        else:
            outcome.dropped.append(Dropped(where, entry["dropped"]))
    outcome.rows = len(rows)
    if not rows:
        listed = [f"{item.where}: {item.reason}." for item in outcome.dropped[:20]]
        journal.remove()
        remove(request.output / IMAGES)
        raise UserError(
            FailureReason.DatasetInvalid,
            "\n".join([*listed, f"{request.source}: no document became a row."]),
            "Correct the documents, or their answers; docs/import.md describes each format.",
        )
    report = {
        "source": str(request.source),
        "format": outcome.recognition.format,
        "recognised_by": outcome.recognition.why,
        "rows": outcome.rows,
        "pages": outcome.pages,
        "dropped": [{"where": item.where, "reason": item.reason} for item in outcome.dropped],
        "fields_left_out": dict(outcome.left_out),
        "not_in_text_layer": outcome.not_in_text,
    }
    write_atomically(request.output / REPORT, json.dumps(report, indent=2, ensure_ascii=False).encode())
    write_atomically(request.output / ROWS, "".join(f"{row}\n" for row in rows).encode())
    journal.remove()


def _remove(output: Path) -> None:
    """Remove what an earlier import wrote, and nothing else."""
    for name in (ROWS, REPORT, JOURNAL, IMAGES):
        remove(output / name)


def _digest(request: Request, recognition: Recognition) -> str:
    """What must be the same when an import continues; the password is not part of it."""
    mapping = request.mapping.read_text(encoding="utf-8") if request.mapping else None
    pages = request.pages
    settings = [
        str(request.source.resolve()), recognition.format, mapping, request.prompt,
        pages.dpi, pages.max_pixels, pages.max_pages, request.check_text,
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(settings).encode()).hexdigest()
