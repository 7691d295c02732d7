"""The format of results.json: a model's answers on a test set with their scores and summary metrics."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator, TypeAdapter, ValidationError

from finscribe_core.atomic_files import write_atomically
from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.metrics.corpus import CorpusSummary, MetricEstimate
from finscribe_trainer.metrics.score import DocumentScore

BASE_RESULTS, TUNED_RESULTS = "results-base.json", "results-tuned.json"
"""Results files of a run's base and tuned model, in its `evaluation/` folder."""
PROMOTED_RESULTS = "results-promoted.json"
"""Results file of the promoted run that the tuned model was compared with, in the same folder."""

_Score = Annotated[
    DocumentScore, PlainValidator(DocumentScore.from_json), PlainSerializer(DocumentScore.to_json)
]


@dataclass(frozen=True)
class ModelInfo:
    """The evaluated model."""

    name: str
    """The name that the user passed: a folder, a hub id or an s3:// prefix."""
    base: str | None
    """The base model, when `name` is an adapter."""
    revision: str | None
    """Commit of a model on the hub."""
    fingerprint: str
    """SHA-256 of its files; of id and commit for a model on the hub."""


@dataclass(frozen=True)
class DataInfo:
    """The test set."""

    source: str
    """The file, folder or URI that the user passed."""
    sha256: str
    """Of the rows and all their images."""
    rows: int
    """Rows of the test set."""
    documents: int
    """Rows that were evaluated: all, or a reproducible sample."""


@dataclass(frozen=True)
class InferenceSettings:
    """All that an answer depends on besides model and document; only equal settings are comparable."""

    max_new_tokens: int
    """Tokens after which an answer is cut off."""
    dtype: str
    """The model's dtype: float32 or bfloat16."""
    decoding: str = "greedy"


@dataclass(frozen=True)
class Timing:
    """Inference time and hardware."""

    device: str
    batch_size: int
    seconds: float
    """Inference time of all documents, without loading the model."""


@dataclass(frozen=True)
class DocumentResult:
    """One document with the model's answer and its score."""

    where: str
    """`file:line` of its row."""
    images: tuple[str, ...]
    """Its pages: paths relative to the folder of the rows (or to image_root), or s3:// URIs."""
    gold: str
    """The ground truth."""
    predicted: str
    """The model's answer."""
    tokens: int
    """Number of tokens of the answer, including the end token."""
    cut_off: bool
    """True when the answer reached `max_new_tokens` before its end token."""
    seconds: float
    """Inference time: the batch's divided by its documents."""
    score: _Score
    confidence: float | None = None
    """The probability that the model gives to the answer (`document_confidence`), if it is known."""
    field_confidences: dict[str, float] = field(default_factory=dict)
    """That of each field of the answer, by path."""


@dataclass(frozen=True)
class Results:
    """The whole of results.json."""

    model: ModelInfo
    data: DataInfo
    settings: InferenceSettings
    summary: CorpusSummary
    ceiling: dict[str, MetricEstimate]
    """The share of ground truths that pass each gate: the most that a model can reach."""
    timing: Timing
    versions: dict[str, str]
    """Versions of the packages used for inference, and of Python."""
    documents: tuple[DocumentResult, ...]
    """In the order of the rows."""


_RESULTS: TypeAdapter[Results] = TypeAdapter(Results)


def write_results(results: Results, path: Path) -> None:
    """Write results.json atomically; creates its folder if missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, _RESULTS.dump_json(results, indent=2) + b"\n")


def read_results(path: Path) -> Results:
    """Read what `write_results` wrote.

    Raises:
        UserError: InvalidConfig when the file is missing or not a results file.
    """
    remedy = "Pass a results.json that this version of `finscribe evaluate` wrote."
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
            f"{path}: contains {len(results.documents)} documents, but data.documents is "
            f"{results.data.documents}.",
            remedy,
        )
    return results
