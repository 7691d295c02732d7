"""The training, validation and test rows of a run."""

from dataclasses import dataclass

from finscribe_trainer.data.dataset import Example


@dataclass(frozen=True)
class Splits:
    """The rows for training, validation and testing."""

    train: list[Example]
    validation: list[Example]
    train_fingerprint: str
    validation_fingerprint: str | None
    """None when the validation rows were held out from the training file."""
    num_excluded: int = 0
    """Rows that were excluded: longer than max_sequence_length, or of more pages than max_pages."""
    train_lengths: tuple[int, ...] = ()
    """Tokens of each training row; empty until rows are selected by length."""
    test: list[Example] | None = None
    """Rows on which base and tuned model are compared; None to use the validation rows."""
    test_fingerprint: str | None = None
