"""Saves the answers of an evaluation as they are generated, so that an interrupted evaluation can resume."""

import hashlib
import json
import logging
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from finscribe_core.atomic_files import write_atomically
from finscribe_trainer.evaluation.generation import Answer
from finscribe_trainer.evaluation.results import DataInfo, InferenceSettings, ModelInfo
from finscribe_trainer.evaluation.token_probabilities import Token

log = logging.getLogger(__name__)

_FORMAT = "with the probabilities of tokens"


def fingerprint(model: ModelInfo, data: DataInfo, settings: InferenceSettings) -> str:
    """Hash of all that must be equal for a saved answer to be reused: model files, rows and settings.

    Without the batch size, so that an evaluation that ran out of memory can resume with a smaller one.
    """
    parts = [_FORMAT, model.fingerprint, data.sha256, data.rows, data.documents, asdict(settings)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


class PartialAnswers:
    """The answers so far, in a JSON lines file: a fingerprint, then one answer per line.

    Args:
        path: the file, beside results.json.
        fingerprint: of the current evaluation; a file with another fingerprint is overwritten.
    """

    def __init__(self, path: Path, fingerprint: str) -> None:
        self.path = path
        self.answers = {answer.index: answer for answer in self._read(fingerprint)}
        if self.answers:
            log.info("resuming after %d answers in %s", len(self.answers), path)
        path.parent.mkdir(parents=True, exist_ok=True)
        # Rewritten, which removes an incomplete last line of a killed process.
        lines = [{"fingerprint": fingerprint}, *(asdict(answer) for answer in self.answers.values())]
        write_atomically(path, "".join(json.dumps(line) + "\n" for line in lines).encode())
        self._file = path.open("a", encoding="utf-8")

    def add(self, answer: Answer) -> None:
        """Append an answer to the file."""
        self.answers[answer.index] = answer
        self._file.write(json.dumps(asdict(answer)) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file without deleting it."""
        self._file.close()

    def _read(self, wanted: str) -> Iterator[Answer]:
        if not self.path.is_file():
            return
        lines = self.path.read_bytes().splitlines()
        try:
            same = bool(lines) and json.loads(lines[0]) == {"fingerprint": wanted}
        except (ValueError, RecursionError):
            same = False
        if not same:
            log.warning(
                "%s is of another model, other rows or other settings: starting from the beginning", self.path
            )
            return
        for line in lines[1:]:
            try:
                fields = json.loads(line)
                tokens = tuple(Token(*token) for token in fields["scored_tokens"])
                yield Answer(**{**fields, "scored_tokens": tokens})
            except (
                ValueError,
                KeyError,
                TypeError,
                RecursionError,
            ):  # incomplete line of a process that was killed while writing
                return
