"""results.json: how a model read a set of documents, each answer with its score."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator, TypeAdapter, ValidationError

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.metrics.corpus import Figure, Summary
from finscribe_trainer.metrics.score import DocumentScore
from finscribe_trainer.runtime.files import write_atomically

BASE_RESULTS, TUNED_RESULTS = "results-base.json", "results-tuned.json"
"""Of a run's base and tuned model, below its `evaluation/`."""

_Score = Annotated[
    DocumentScore, PlainValidator(DocumentScore.from_json), PlainSerializer(DocumentScore.to_json)
]


@dataclass(frozen=True)
class ModelInfo:
    """Which model read."""

    name: str
    """As the user named it: a folder, a hub id or an s3:// prefix."""
    base: str | None
    """The base model, when `name` is an adapter."""
    revision: str | None
    """Commit of a hub model."""
    fingerprint: str
    """SHA-256 over its files; of id and commit for a hub model."""


@dataclass(frozen=True)
class DataInfo:
    """Which documents were read."""

    source: str
    """As the user named them."""
    sha256: str
    """Over the rows and every image they name."""
    rows: int
    """Rows of the set."""
    documents: int
    """Rows that were read: all of them, or a sample that is always the same."""


@dataclass(frozen=True)
class Settings:
    """What an answer depends on besides model and document; two results compare only where these agree."""

    max_new_tokens: int
    """Tokens after which an answer is cut off."""
    dtype: str
    """What the model computes in: float32 or bfloat16."""
    decoding: str = "greedy"


@dataclass(frozen=True)
class Timing:
    """How long it took, and on what."""

    device: str
    batch_size: int
    seconds: float
    """Of reading alone, without loading the model."""


@dataclass(frozen=True)
class Record:
    """One document."""

    where: str
    """`file:line` of its row."""
    images: tuple[str, ...]
    """Its pages' files, on the machine that read them."""
    gold: str
    """The right answer."""
    predicted: str
    """The model's answer."""
    tokens: int
    """Tokens of the answer, its end included."""
    cut_off: bool
    """True when the answer reached `max_new_tokens` before its end."""
    seconds: float
    """The document's share of its batch's time."""
    score: _Score


@dataclass(frozen=True)
class Results:
    """The whole of results.json."""

    model: ModelInfo
    data: DataInfo
    settings: Settings
    summary: Summary
    ceiling: dict[str, Figure]
    """What the right answers themselves reach of each gate: no model can be asked for more."""
    timing: Timing
    versions: dict[str, str]
    """Of the packages that made the answers, and of Python."""
    documents: tuple[Record, ...]
    """In the rows' order."""


_RESULTS: TypeAdapter[Results] = TypeAdapter(Results)


def write_results(results: Results, path: Path) -> None:
    """Write results.json, whole or not at all; its folder is made if missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, _RESULTS.dump_json(results, indent=2) + b"\n")


def read_results(path: Path) -> Results:
    """Read what `write_results` wrote.

    Raises:
        UserError: InvalidConfig when there is no such file, or it holds something else.
    """
    remedy = "Name a results.json that `finscribe evaluate` wrote with this version."
    try:
        results = _RESULTS.validate_json(path.read_bytes())
    except OSError as error:
        raise UserError(FailureReason.InvalidConfig, f"{path}: {error.strerror}.", remedy) from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "the file"
        raise UserError(FailureReason.InvalidConfig, f"{path}: {field}: {first['msg']}.", remedy) from None
    if len(results.documents) != results.data.documents:
        raise UserError(
            FailureReason.InvalidConfig,
            f"{path}: holds {len(results.documents)} documents, but data.documents is "
            f"{results.data.documents}.",
            remedy,
        )
    return results
