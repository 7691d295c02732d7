"""Validates data sets in one pass, holding only counts, row digests and the first findings in memory."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from finscribe_trainer.data.dataset import Example
from finscribe_trainer.data.files import DataFile
from finscribe_trainer.data.image_check import CheckedImage, ImageCheck
from finscribe_trainer.data.image_folders import ImageError
from finscribe_trainer.data.row_reader import scan_rows
from finscribe_trainer.data.rows import Row
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
        failed = False
        for problem in problems:
            rule = RULES[problem.rule]
            failed |= rule.severity is Severity.error
            self.by_rule[problem.rule] += 1
            # Many hints must not displace errors.
            if len(self.findings) < self.max_findings and self._has_room(problem.rule):
                path, message = problem.path[:_MAX_LENGTH], problem.message[:_MAX_LENGTH]
                remedy = problem.remedy or rule.remedy
                self.findings.append(Finding(where, path, problem.rule, message, remedy))
        self.statistics.rows += 1
        self.statistics.rows_with_errors += failed

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
    """

    def __init__(self, checks: Checks, report: Report) -> None:
        self._checks = checks
        self._report = report
        self._inputs, self._rows = FirstOccurrences(), FirstOccurrences()
        self._validation: FirstOccurrences | None = None

    def read_validation_set(self, file: DataFile) -> Iterator[None]:
        """Read the validation set, to detect leakage into the other sets; yields after each row.

        Its problems are not reported; it can be validated by itself.
        """
        self._validation = FirstOccurrences()
        for where, row, images in self._with_images(file):
            if isinstance(row, Row):
                for key in _page_digests(row, images):
                    self._validation.find_or_add(key, where)
            yield

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
        with ImageCheck(file.images, self._checks.max_image_pixels) as check:
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
        if self._validation is not None:
            found = (self._validation.find(key) for key in _page_digests(row, images))
            there = next((where for where in found if where is not None), None)
            if there is not None:
                what = "an image of" if row.images else "the same prompt as"
                yield Problem("leakage", "", f"{what} {there}")


def _page_digests(row: Row, images: Images) -> list[int]:
    """Digests of what must not be in both sets: each page image, or the prompt of a row without images."""
    pages = (image.sha256 for name in row.images if isinstance(image := images[name], CheckedImage))
    return [digest_of(("page", page)) for page in pages] if row.images else [_input_digest(row, images)]


def _input_digest(row: Row, images: Images) -> int:
    """Digest of the model's input: the prompt and the contents of the images."""
    contents = [
        image.sha256 if isinstance(image := images[name], CheckedImage) else name for name in row.images
    ]
    return digest_of((*(f"{turn.role}:{turn.text}" for turn in row.turns), *contents))


def _example(where: str, row: Row, images: Images) -> Example:
    good = [image for name in row.images if isinstance(image := images[name], CheckedImage)]
    return Example(row, where, tuple(image.path for image in good), tuple(image.size for image in good))
