"""Answers kept while a model reads, so that a reading that was cut off goes on where it stopped."""

import hashlib
import json
import logging
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from finscribe_trainer.evaluation.generation import Answer
from finscribe_trainer.evaluation.results import DataInfo, ModelInfo, Settings
from finscribe_trainer.runtime.files import write_atomically

log = logging.getLogger(__name__)


def fingerprint(model: ModelInfo, data: DataInfo, settings: Settings) -> str:
    """What must be equal for an answer to be used again: the files, the rows and the settings.

    Not the batch size: whoever lowers it after the memory ran out goes on.
    """
    parts = [model.fingerprint, data.sha256, data.rows, data.documents, asdict(settings)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


class PartialAnswers:
    """The file beside results.json: a fingerprint, then one answer a line. Removed when all is done.

    Args:
        path: the file.
        fingerprint: of what is read now; a file of another one is begun anew.
    """

    def __init__(self, path: Path, fingerprint: str) -> None:
        self.path = path
        self.answers = {answer.index: answer for answer in self._read(fingerprint)}
        if self.answers:
            log.info("going on after %d answers in %s", len(self.answers), path)
        path.parent.mkdir(parents=True, exist_ok=True)
        # Written anew, so that half a line of an earlier process is gone.
        lines = [{"fingerprint": fingerprint}, *(asdict(answer) for answer in self.answers.values())]
        write_atomically(path, "".join(json.dumps(line) + "\n" for line in lines).encode())
        self._file = path.open("a", encoding="utf-8")

    def add(self, answer: Answer) -> None:
        """Keep an answer, on the disk at once."""
        self.answers[answer.index] = answer
        self._file.write(json.dumps(asdict(answer)) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file; it stays."""
        self._file.close()

    def _read(self, wanted: str) -> Iterator[Answer]:
        if not self.path.is_file():
            return
        lines = self.path.read_bytes().splitlines()
        try:
            same = bool(lines) and json.loads(lines[0]) == {"fingerprint": wanted}
        except ValueError:
            same = False
        if not same:
            log.warning(
                "%s is of another model, other rows or other settings: reading begins anew", self.path
            )
            return
        for line in lines[1:]:
            try:
                yield Answer(**json.loads(line))
            except (ValueError, TypeError):  # half a line: the process was killed as it wrote it
                return
