"""Validates data sets in one pass, holding only counts, row digests and the first findings in memory."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from threading import Event
from typing import TYPE_CHECKING

from finscribe_trainer.data.dataset import Example
from finscribe_trainer.data.files import DataFile
from finscribe_trainer.data.image_check import CheckedImage, ImageCheck
from finscribe_trainer.data.image_folders import ImageError
from finscribe_trainer.data.row_reader import scan_rows
from finscribe_trainer.data.rows import Row
from finscribe_trainer.data.same_document import document_keys
from finscribe_trainer.data_tools.validate.answers import AnswerCheck
from finscribe_trainer.data_tools.validate.first_occurrences import FirstOccurrences, digest_of
from finscribe_trainer.data_tools.validate.personal_data import find_personal_data
from finscribe_trainer.data_tools.validate.rules import RULES, Finding, Severity
from finscribe_trainer.data_tools.validate.statistics import Statistics
from finscribe_trainer.documents.problems import Problem

if TYPE_CHECKING:  # it imports torch
    from finscribe_trainer.data_tools.validate.tokens import TokenCheck

_READ_AHEAD = 64
"""Rows whose images are read concurrently."""
_MAX_LENGTH = 500
"""Longest path or message of a finding, in characters."""
Images = dict[str, CheckedImage | ImageError]


@dataclass
class Report:
    """The result of a validation."""

    max_findings: int
    """Most findings that are kept; all are counted."""
    statistics: Statistics = field(default_factory=Statistics)
    findings: list[Finding] = field(default_factory=list)
    by_rule: Counter[str] = field(default_factory=Counter)
    interrupted: bool = False
    """Whether the validation was interrupted."""

    def count(self, severity: Severity) -> int:
        """Number of findings of a severity."""
        return sum(number for rule, number in self.by_rule.items() if RULES[rule].severity is severity)

    @property
    def pass_rate(self) -> float:
        """Fraction of rows without an error; 0 without rows."""
        rows = self.statistics.rows
        return (rows - self.statistics.rows_with_errors) / rows if rows else 0.0

    def add(self, where: str, problems: Iterable[Problem]) -> None:
        """Add a row with its problems."""
        severities = [self.add_finding(where, problem) for problem in problems]
        self.statistics.rows += 1
        self.statistics.rows_with_errors += Severity.error in severities

    def add_finding(self, where: str, problem: Problem) -> Severity:
        """Add a problem alone."""
        rule = RULES[problem.rule]
        self.by_rule[problem.rule] += 1
        # Many hints must not displace errors.
        if len(self.findings) < self.max_findings and self._has_room(problem.rule):
            path, message = problem.path[:_MAX_LENGTH], problem.message[:_MAX_LENGTH]
            remedy = problem.remedy or rule.remedy
            self.findings.append(Finding(where, path, problem.rule, message, remedy))
        return rule.severity

    def _has_room(self, rule: str) -> bool:
        return RULES[rule].severity is Severity.error or self.by_rule[rule] <= self.max_findings // 10


@dataclass(frozen=True)
class Checks:
    """The checks of each row."""

    answers: AnswerCheck
    max_image_pixels: int
    tokens: "TokenCheck | None" = None


class Validator:
    """Validates data sets one after another, and finds duplicates across all of them.

    Memory: two digests per row (`FirstOccurrences`), the kept findings, and a few rows.

    Args:
        checks: the checks of each row.
        report: what is found is added to it.
        stop: an event that requests a stop between rows.
    """

    def __init__(self, checks: Checks, report: Report, stop: Event | None = None) -> None:
        self._checks = checks
        self._report = report
        self._stop = stop
        self._inputs, self._rows = FirstOccurrences(), FirstOccurrences()
        self._held_out: list[FirstOccurrences] = []

    def read_held_out(self, file: DataFile) -> Iterator[None]:
        """Read the validation or the test set, to detect leakage into the other sets; yields after each row.

        Leakage from a set that was read before is reported. Other problems are not; the set can be validated
        by itself.
        """
        documents = FirstOccurrences()
        for where, row, images in self._with_images(file):
            if isinstance(row, Row):
                for problem in self._leakage(row, images):
                    self._report.add_finding(where, problem)
                for key in document_keys(row, _image_hashes(row, images)):
                    documents.find_or_add(digest_of(key), where)
            yield
        self._held_out.append(documents)

    def validate(self, file: DataFile) -> Iterator[None]:
        """Validate every row; yields after each.

        Raises:
            UserError: DatasetNotFound, or DatasetInvalid for an unsupported file.
        """
        for where, row, images in self._with_images(file):
            problems = [row] if isinstance(row, Problem) else list(self._problems(where, row, images))
            self._report.add(where, problems)
            yield

    def _with_images(self, file: DataFile) -> Iterator[tuple[str, Row | Problem, Images]]:
        rows = scan_rows(file)
        with ImageCheck(file.images, self._checks.max_image_pixels, self._stop) as check:
            while batch := list(islice(rows, _READ_AHEAD)):
                images = check.check(name for _, row in batch if isinstance(row, Row) for name in row.images)
                yield from ((where, row, images) for where, row in batch)

    def _problems(self, where: str, row: Row, images: Images) -> Iterator[Problem]:
        broken = {name: image for name in row.images if isinstance(image := images[name], ImageError)}
        yield from (Problem("image", "", str(image)) for image in broken.values())
        tokens = None
        if self._checks.tokens is not None and not broken:
            tokens, problems = self._checks.tokens.check(_example(where, row, images))
            yield from problems
        answer, problems = self._checks.answers.check(row.completion)
        yield from problems
        yield from self._repetitions(where, row, images)
        yield from find_personal_data("\n".join((*(turn.text for turn in row.turns), row.completion)))
        self._report.statistics.add(row, answer, tokens)

    def _repetitions(self, where: str, row: Row, images: Images) -> Iterator[Problem]:
        key = _input_digest(row, images)
        same_input = self._inputs.find_or_add(key, where)
        same_row = self._rows.find_or_add(digest_of((str(key), row.completion)), where)
        if same_row is not None:
            yield Problem("duplicate", "", f"the same row as {same_row}")
        elif same_input is not None:
            yield Problem("conflict", "", f"the same prompt and images as {same_input}, with another answer")
        yield from self._leakage(row, images)

    def _leakage(self, row: Row, images: Images) -> Iterator[Problem]:
        """The first row of each held-out set that shows the same document."""
        keys = document_keys(row, _image_hashes(row, images)) if self._held_out else []
        for documents in self._held_out:
            found = ((what, documents.find(digest_of((what, digest)))) for what, digest in keys)
            same = next(((what, where) for what, where in found if where is not None), None)
            if same is not None:
                yield Problem("leakage", "", f"the same {same[0]} as {same[1]}")


def _image_hashes(row: Row, images: Images) -> list[str]:
    return [image.sha256 for name in row.images if isinstance(image := images[name], CheckedImage)]


def _input_digest(row: Row, images: Images) -> int:
    """Digest of the model's input: the prompt and the contents of the images."""
    contents = [
        image.sha256 if isinstance(image := images[name], CheckedImage) else name for name in row.images
    ]
    return digest_of((*(f"{turn.role}:{turn.text}" for turn in row.turns), *contents))


def _example(where: str, row: Row, images: Images) -> Example:
    good = [image for name in row.images if isinstance(image := images[name], CheckedImage)]
    return Example(row, where, tuple(image.path for image in good), tuple(image.size for image in good))
