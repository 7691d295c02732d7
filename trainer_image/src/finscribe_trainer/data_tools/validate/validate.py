"""One pass over a data set: every row checked, nothing held but counts, digests and the first findings."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from finscribe_trainer.data.dataset import Example
from finscribe_trainer.data.files import DataFile
from finscribe_trainer.data.image_check import CheckedImage, ImageCheck
from finscribe_trainer.data.images import ImageError
from finscribe_trainer.data.row_reader import scan_rows
from finscribe_trainer.data.rows import Row
from finscribe_trainer.data_tools.validate.answers import AnswerCheck
from finscribe_trainer.data_tools.validate.personal import find_personal_data
from finscribe_trainer.data_tools.validate.rules import RULES, Finding, Severity
from finscribe_trainer.data_tools.validate.seen import SeenRows, digest_of
from finscribe_trainer.data_tools.validate.statistics import Statistics
from finscribe_trainer.documents.problems import Problem

if TYPE_CHECKING:  # it imports torch
    from finscribe_trainer.data_tools.validate.tokens import TokenCheck

_AHEAD = 64
"""Rows whose images are read at once."""
_LONGEST = 500
"""Characters of a finding's path or message that are kept."""
Images = dict[str, CheckedImage | ImageError]


@dataclass
class Report:
    """What was found."""

    max_findings: int
    """Findings that are kept; all are counted."""
    statistics: Statistics = field(default_factory=Statistics)
    findings: list[Finding] = field(default_factory=list)
    by_rule: Counter[str] = field(default_factory=Counter)
    interrupted: bool = False
    """True when the pass was cut off."""

    def count(self, severity: Severity) -> int:
        """Findings of a severity."""
        return sum(number for rule, number in self.by_rule.items() if RULES[rule].severity is severity)

    @property
    def pass_rate(self) -> float:
        """Share of the rows without an error; 0 without rows."""
        rows = self.statistics.rows
        return (rows - self.statistics.rows_with_errors) / rows if rows else 0.0

    def add(self, where: str, problems: Iterable[Problem]) -> None:
        """Note a row's problems, and count the row."""
        failed = False
        for problem in problems:
            rule = RULES[problem.rule]
            failed |= rule.severity is Severity.error
            self.by_rule[problem.rule] += 1
            # Hints can be many, and must not crowd errors out.
            if len(self.findings) < self.max_findings and self._has_room(problem.rule):
                path, message = problem.path[:_LONGEST], problem.message[:_LONGEST]
                remedy = problem.remedy or rule.remedy
                self.findings.append(Finding(where, path, problem.rule, message, remedy))
        self.statistics.rows += 1
        self.statistics.rows_with_errors += failed

    def _has_room(self, rule: str) -> bool:
        return RULES[rule].severity is Severity.error or self.by_rule[rule] <= self.max_findings // 10


@dataclass(frozen=True)
class Checks:
    """What rows are held to."""

    answers: AnswerCheck
    max_image_pixels: int
    tokens: "TokenCheck | None" = None


class Validator:
    """Validates data sets one after another: duplicates are found across all of them.

    Memory: the digests of rows (`SeenRows`, two of them a row), the kept findings, and a few rows.
    """

    def __init__(self, checks: Checks, report: Report) -> None:
        self._checks = checks
        self._report = report
        self._inputs, self._rows = SeenRows(), SeenRows()
        self._validation: SeenRows | None = None

    def remember_validation(self, file: DataFile) -> Iterator[None]:
        """Read the validation set, so that its rows are known in the others; yields after each row.

        Its own problems are not reported: validate it by itself.
        """
        self._validation = SeenRows()
        for where, row, images in self._with_images(file):
            if isinstance(row, Row):
                for key in _shown_digests(row, images):
                    self._validation.first(key, where)
            yield

    def validate(self, file: DataFile) -> Iterator[None]:
        """Check every row; yields after each.

        Raises:
            UserError: DatasetNotFound, DatasetInvalid when there is no file of rows.
        """
        for where, row, images in self._with_images(file):
            problems = [row] if isinstance(row, Problem) else list(self._problems(where, row, images))
            self._report.add(where, problems)
            yield

    def _with_images(self, file: DataFile) -> Iterator[tuple[str, Row | Problem, Images]]:
        rows = scan_rows(file)
        with ImageCheck(file.root, self._checks.max_image_pixels) as check:
            while ahead := list(islice(rows, _AHEAD)):
                images = check.check(name for _, row in ahead if isinstance(row, Row) for name in row.images)
                yield from ((where, row, images) for where, row in ahead)

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
        same_input = self._inputs.first(key, where)
        same_row = self._rows.first(digest_of((str(key), row.completion)), where)
        if same_row is not None:
            yield Problem("duplicate", "", f"the same row as {same_row}")
        elif same_input is not None:
            yield Problem("conflict", "", f"the same prompt and images as {same_input}, another answer")
        if self._validation is not None:
            found = (self._validation.find(key) for key in _shown_digests(row, images))
            there = next((where for where in found if where is not None), None)
            if there is not None:
                what = "an image of" if row.images else "the same prompt as"
                yield Problem("leakage", "", f"{what} {there}")


def _shown_digests(row: Row, images: Images) -> list[int]:
    """Of what must not be in both sets: each page, whatever is asked about it; without one, the prompt."""
    pages = (image.sha256 for name in row.images if isinstance(image := images[name], CheckedImage))
    return [digest_of(("page", page)) for page in pages] if row.images else [_input_digest(row, images)]


def _input_digest(row: Row, images: Images) -> int:
    """Of what the model is shown: an image counts by its content, whatever it is called."""
    contents = [
        image.sha256 if isinstance(image := images[name], CheckedImage) else name for name in row.images
    ]
    return digest_of((*(f"{turn.role}:{turn.text}" for turn in row.turns), *contents))


def _example(where: str, row: Row, images: Images) -> Example:
    good = [image for name in row.images if isinstance(image := images[name], CheckedImage)]
    return Example(row, where, tuple(image.path for image in good), tuple(image.size for image in good))
