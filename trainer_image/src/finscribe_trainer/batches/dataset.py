"""Training rows as tensors: which row, in which pass over the set, changed how."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.utils.data import Dataset

from finscribe_core.errors import FailureReason, RetryableError
from finscribe_trainer.batches.augmentation.augment import Augmentation, changed_example
from finscribe_trainer.batches.augmentation.change import Change
from finscribe_trainer.batches.features.shown import show_images
from finscribe_trainer.batches.features.store import FeatureStore
from finscribe_trainer.data.dataset import Example
from finscribe_trainer.loss.weights import TokenWeights
from finscribe_trainer.model.batch import IGNORE_INDEX, LOSS_WEIGHTS, ROW_LOCATION, Encoded
from finscribe_trainer.model.families.base import Family, ImageInput


@dataclass(frozen=True)
class RowKey:
    """A row in a pass over the set: all that anything random about it may depend on, beside the seed."""

    index: int
    epoch: int
    padding: bool = False
    """Whether the row only fills up a batch: all its labels are ignored."""


class LostImageError(RetryableError):
    """An image that was there when all rows were checked can't be read any more.

    Retryable: a network drive may come back; where it does not, the next start's check of all rows says so.
    Made from one string, as PyTorch makes a data worker's error anew from its traceback, in the main process.
    """

    def __init__(self, text: str) -> None:
        super().__init__(
            FailureReason.StorageUnavailable,
            text.rpartition(f"{type(self).__name__}: ")[2].strip(),
            "Leave the data set's files where they are until the command ends.",
        )

    def __str__(self) -> str:
        """The message alone, for that traceback."""
        return self.message


def read_images(
    example: Example, changes: Sequence[Change] = (), store: FeatureStore | None = None
) -> list[ImageInput]:
    """`show_images`, which names the row when an image has gone meanwhile.

    Raises:
        LostImageError: naming row and file.
    """
    try:
        return show_images(example, changes, store)
    except OSError as error:
        name = error.filename or ", ".join(map(str, example.images))
        said = f"{example.where}: {name} can't be read any more: {error.strerror or error}"
        raise LostImageError(said) from error


class EncodedExamples(Dataset[Encoded]):
    """Examples, encoded when they are asked for: images are decoded, and changed, in the data workers."""

    def __init__(
        self,
        examples: Sequence[Example],
        family: Family,
        weights: TokenWeights | None = None,
        augmentation: Augmentation | None = None,
        features: FeatureStore | None = None,
    ) -> None:
        self.examples = examples
        self.family = family
        self.weights = weights
        self.augmentation = augmentation
        self.features = features

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, key: RowKey | int) -> Encoded:
        row = key if isinstance(key, RowKey) else RowKey(key, 0)
        example = self.examples[row.index]
        changes: tuple[Change, ...] = ()
        if self.augmentation is not None:
            changes = self.augmentation.changes(example, row.index, row.epoch)
            example = changed_example(example, changes)
        images = read_images(example, changes, self.features)
        encoded = {**self.family.encode(example, images), ROW_LOCATION: example.where}
        if self.weights is not None:
            encoded[LOSS_WEIGHTS] = self._token_weights(
                example.row.completion, self.weights, len(encoded["labels"])
            )
        if row.padding:
            encoded["labels"].fill_(IGNORE_INDEX)
        return encoded

    def _token_weights(self, completion: str, weights: TokenWeights, num_tokens: int) -> torch.Tensor:
        """Loss weights, (num_tokens,): 0 over the prompt, 1 for the end token."""
        answer = [*weights.compute(completion, self.family.completion_offsets(completion)), 1.0]
        return torch.tensor([0.0] * (num_tokens - len(answer)) + answer)
