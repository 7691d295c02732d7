"""The training, validation and test rows of a run."""

from dataclasses import dataclass

from finscribe_trainer.data.dataset import Example


@dataclass(frozen=True)
class Splits:
    """What is trained on, and what it is judged by."""

    train: list[Example]
    validation: list[Example]
    train_fingerprint: str
    validation_fingerprint: str | None
    """None when the validation rows were held out of the training file."""
    num_excluded: int = 0
    """Rows longer than max_sequence_length."""
    train_lengths: tuple[int, ...] = ()
    """Tokens of each training row; known once rows are selected."""
    test: list[Example] | None = None
    """What base and tuned model are compared on; None when the validation rows are."""
    test_fingerprint: str | None = None
