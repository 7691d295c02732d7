"""The answers so far, in a JSON lines file that each is appended to, and from which a command resumes."""

import logging
from collections.abc import Iterable
from pathlib import Path

from finscribe_core.atomic_files import write_atomically
from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.prediction.records import Prediction, from_line, to_line

log = logging.getLogger(__name__)

_START = b'{"file": '
"""How each line starts, as far as a process that was killed has written it."""


class AnswersFile:
    """The predictions of one model, by document; a later one of a document replaces the earlier.

    Raises:
        UserError: InvalidConfig when the file holds something else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.predictions = {prediction.file: prediction for prediction in _read(path)}

    def require_model(self, model: str) -> None:
        """Check that all answers are of this model.

        Raises:
            UserError: InvalidConfig when one is of another.
        """
        if any(prediction.model not in ("", model) for prediction in self.predictions.values()):
            raise UserError(
                FailureReason.InvalidConfig,
                f"{self.path} holds answers of another model, or of a model whose files have changed.",
                "Name another --output, or pass --overwrite.",
            )

    def open(self) -> None:
        """Begin to append. The file is rewritten, which removes replaced and incomplete lines."""
        self.rewrite(())
        self._file = self.path.open("ab")

    def add(self, prediction: Prediction) -> None:
        """Append a prediction."""
        self.predictions[prediction.file] = prediction
        self._file.write(to_line(prediction))
        self._file.flush()

    def close(self) -> None:
        """Stop appending."""
        self._file.close()

    def rewrite(self, order: Iterable[str]) -> None:
        """Write all predictions anew: those of these documents in this order, after all others."""
        order = [name for name in order if name in self.predictions]
        last = set(order)
        names = [*(name for name in self.predictions if name not in last), *order]
        write_atomically(self.path, b"".join(to_line(self.predictions[name]) for name in names))


def _read(path: Path) -> list[Prediction]:
    if not path.is_file():
        return []
    found = []
    for line in path.read_bytes().splitlines(keepends=True):
        try:
            found.append(from_line(line))
        except ValueError:
            if line.endswith(b"\n") or not _START.startswith(line[: len(_START)]):
                raise UserError(
                    FailureReason.InvalidConfig,
                    f"{path} exists already, and was not written by `finscribe predict`.",
                    "Name another --output, or pass --overwrite.",
                ) from None
    if found:
        log.info("%s has the answers of %d documents", path, len(found))
    return found
