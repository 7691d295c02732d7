"""Writes predictions as rows for review, which `finscribe data corrections` converts to training rows."""

import logging
from collections.abc import Iterable
from pathlib import Path

from finscribe_core.atomic_files import atomic_path
from finscribe_trainer.data.dataset import Example
from finscribe_trainer.data.table_images import ImageFile, write_image
from finscribe_trainer.data_tools.curate.corrections import PENDING
from finscribe_trainer.documents.numbers import dump_json
from finscribe_trainer.prediction.documents import Document
from finscribe_trainer.prediction.records import Prediction

log = logging.getLogger(__name__)


def write_drafts(path: Path, answered: Iterable[tuple[Document, Prediction]]) -> None:
    """Write a pending review for each document, with its fields of lowest confidence first.

    Images that are not files below the folder of `path` are linked (or copied) to a folder beside it.
    Documents with more than one message are left out, since a review has one instruction.
    """
    left_out = 0
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as part, part.open("wb") as file:
        for document, prediction in answered:
            if document.example is None or prediction.error is not None:
                continue
            if len(document.example.row.turns) > 1:
                left_out += 1
                continue
            line = dump_json(_review(document.example, prediction, path))
            file.write(line.encode("utf-8", "backslashreplace") + b"\n")
    if left_out:
        log.warning("%d documents with several messages are not in %s", left_out, path)


def _review(example: Example, prediction: Prediction, path: Path) -> dict[str, object]:
    images = [_image(image, digest, path) for image, digest in _images(example)]
    named: dict[str, object] = {"images": images} if len(images) > 1 else {"image": "".join(images)}
    return {
        **(named if images else {}),
        "instruction": example.row.turns[0].text,
        "predicted": prediction.text if prediction.answer is None else prediction.answer,
        "status": PENDING,
        "confidence": dict(sorted(prediction.confidence.items(), key=lambda item: item[1])),
        "problems": [problem.text for problem in prediction.problems],
    }


def _images(example: Example) -> Iterable[tuple[ImageFile, str]]:
    return zip(example.images, example.image_hashes, strict=True)


def _image(image: ImageFile, digest: str, path: Path) -> str:
    """The image's path relative to the folder of the reviews."""
    folder = path.parent.resolve()
    if not isinstance(image, Path) or not image.is_relative_to(folder):
        target = folder / f"{path.stem}-images" / f"{digest[:12]}-{image.name}"
        if not target.exists():
            write_image(image, target)
        image = target
    return image.relative_to(folder).as_posix()
