"""Converts reviewed corrections of a model's answers to training rows."""

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.data.file_texts import names_file
from finscribe_trainer.data.files import DataFile
from finscribe_trainer.data.image_folders import ImageError, resolve_image
from finscribe_trainer.data.row_reader import scan_values
from finscribe_trainer.data_tools.curate.output_files import create_files
from finscribe_trainer.data_tools.curate.path_edits import EditError, apply_corrections
from finscribe_trainer.data_tools.validate.answers import AnswerCheck
from finscribe_trainer.data_tools.validate.rules import RULES, Severity
from finscribe_trainer.documents.numbers import dump_json, has_unpaired_surrogate, load_json
from finscribe_trainer.documents.problems import Problem
from finscribe_trainer.documents.schema import INSTRUCTION, parse_document, to_answer

ACCEPTED, REJECTED, PENDING = "accepted", "rejected", "pending"


class ReviewError(ValueError):
    """A review can't be converted to a row; the message names the field."""


@dataclass
class Outcome:
    """The result of a conversion."""

    counts: Counter[str] = field(default_factory=Counter)
    """Reviews by result: written, rejected, pending, superseded (by a later review), excluded."""
    excluded: list[str] = field(default_factory=list)
    """`file:line: reason` of accepted reviews that can't be converted."""


def write_corrections(source: Path, output: Path, *, overwrite: bool = False) -> Outcome:
    """Write a row for each document whose last review accepted it.

    Two passes; memory holds a digest of each document.

    Args:
        source: reviews, one JSON object per line (docs/prepare.md).
        output: the file of rows; image paths are relative to its folder.
        overwrite: whether an existing file is replaced.

    Raises:
        UserError: DatasetNotFound; InvalidConfig when `output` exists.
    """
    file = DataFile(source, str(source))
    outcome, check = Outcome(), AnswerCheck(None)
    with create_files(output, overwrite=overwrite) as [rows]:
        last = _last_reviews(file)
        for where, review in scan_values(file):
            try:
                status = _status(review)
                if status == ACCEPTED and last[_document(review)] != where:
                    status = "superseded"
                if status == ACCEPTED:
                    rows.write(_row(review, output.parent, check) + "\n")
                    status = "written"
            except ReviewError as error:
                outcome.excluded.append(f"{where}: {error}.")
                status = "excluded"
            outcome.counts[status] += 1
        if not outcome.counts["written"]:
            raise UserError(
                FailureReason.DatasetInvalid,
                "\n".join([*outcome.excluded[:20], f"{source}: no review could be converted to a row."]),
                "Reviews with status accepted and a valid document become rows.",
            )
    return outcome


def _last_reviews(file: DataFile) -> dict[bytes, str]:
    """The `file:line` of each document's last accepted or rejected review; pending reviews are ignored."""
    last = {}
    for where, review in scan_values(file):
        try:
            if _status(review) != PENDING:
                last[_document(review)] = where
        except ReviewError:
            continue  # reported in the second pass
    return last


def _status(review: Any) -> str:
    if isinstance(review, Problem):
        raise ReviewError(review.message)
    if not isinstance(review, dict):
        raise ReviewError("a review must be a JSON object")
    status = review.get("status")
    if status not in (ACCEPTED, REJECTED, PENDING):
        raise ReviewError(f"status must be accepted, rejected or pending, not {status!r}")
    return str(status)


def _document(review: dict[str, Any]) -> bytes:
    """A digest that identifies the reviewed document by its image or text."""
    instruction, input_value, images = _prompt(review)
    names = images or ([input_value] if names_file(input_value) else [])
    text = "\n".join(str(PurePosixPath(name)) for name in names)  # ./a.png is a.png
    text = text or input_value or instruction
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _prompt(review: dict[str, Any]) -> tuple[str, str, list[str]]:
    """Instruction, input and (of a document of several pages) images of a review."""
    for key in ("image", "input", "prompt", "instruction"):
        if not isinstance(review.get(key, ""), str):
            raise ReviewError(f"{key} must be a text")
    instruction = review.get("instruction") or review.get("prompt")
    images = review.get("images", [])
    if not isinstance(images, list) or not all(isinstance(name, str) and name.strip() for name in images):
        raise ReviewError("images must be a list of paths")
    if images and review.get("image"):
        raise ReviewError("image and images exclude each other")
    input_value = review.get("image") or review.get("input") or ""
    if not images and not input_value.strip() and not (instruction or "").strip():
        raise ReviewError("image, images, input or prompt must identify the document")
    return instruction or INSTRUCTION, input_value.strip(), [name.strip() for name in images]


def _row(review: dict[str, Any], root: Path, check: AnswerCheck) -> str:
    instruction, input_value, images = _prompt(review)
    for name in images or ([input_value] if review.get("image") or names_file(input_value) else []):
        if not names_file(name):
            raise ReviewError(f"image {name!r} does not have the suffix of an image file")
        try:
            resolve_image(root, name)
        except ImageError as error:
            raise ReviewError(f"{error} (below {root}, the output's folder)") from None
    document, problems = check.check(dump_json(_corrected(review)))
    problems = [problem for problem in problems if RULES[problem.rule].severity is Severity.error]
    if problems:
        first, more = problems[0], len(problems) - 1
        raise ReviewError(f"[{first.rule}] {first.text}" + (f" (and {more} more)" if more else ""))
    answer = to_answer(parse_document(document))
    pages = {"images": images} if images else {}
    return dump_json({"instruction": instruction, "input": input_value, **pages, "output": answer})


def _corrected(review: dict[str, Any]) -> Any:
    if "corrected" in review and "corrections" in review:
        raise ReviewError("corrected and corrections exclude each other")
    if "corrected" in review:
        return _as_json(review, "corrected")
    predicted, corrections = _as_json(review, "predicted"), review.get("corrections", {})
    if not isinstance(corrections, dict):
        raise ReviewError("corrections must be an object of paths and values")
    try:
        return apply_corrections(predicted, corrections)
    except EditError as error:
        raise ReviewError(f"corrections: {error}") from None


def _as_json(review: dict[str, Any], key: str) -> Any:
    value = review.get(key)
    if isinstance(value, str):
        try:
            value = None if has_unpaired_surrogate(value) else load_json(value)
        except ValueError as error:
            remedy = "; write the whole document as `corrected`" if key == "predicted" else ""
            raise ReviewError(f"{key} is not valid JSON ({error}){remedy}") from None
    if not isinstance(value, dict):
        raise ReviewError(f"{key} must be a document: a JSON object, or its text")
    return value
