"""The PyTorch data set of encoded training rows, with augmentation and cached vision features."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.utils.data import Dataset

from finscribe_core.errors import FailureReason, RetryableError
from finscribe_trainer.batches.augmentation.augment import Augmentation, augment_example
from finscribe_trainer.batches.augmentation.params import AugmentationParams
from finscribe_trainer.batches.features.row_images import open_row_images
from finscribe_trainer.batches.features.store import FeatureStore
from finscribe_trainer.data.dataset import Example
from finscribe_trainer.loss.weights import TokenWeights
from finscribe_trainer.model.batch import IGNORE_INDEX, LOSS_WEIGHTS, ROW_LOCATION, Encoded
from finscribe_trainer.model.families.base import Family, ImageInput


@dataclass(frozen=True)
class RowKey:
    """A row in an epoch. All randomness about a row depends on its key and the seed alone."""

    index: int
    epoch: int
    padding: bool = False
    """Whether the row only pads a batch: all its labels are ignored."""


class ImageUnavailableError(RetryableError):
    """An image that existed when the rows were validated can't be read any more.

    Retryable: a network drive may become available again; else validation at the next start reports it.
    The constructor takes one string because PyTorch re-creates a data worker's error from its traceback.
    """

    def __init__(self, text: str) -> None:
        super().__init__(
            FailureReason.StorageUnavailable,
            text.rpartition(f"{type(self).__name__}: ")[2].strip(),
            "Do not move or delete the data set's files while the command runs.",
        )

    def __str__(self) -> str:
        """The message alone, as it appears in the traceback."""
        return self.message


def load_row_images(
    example: Example, params: Sequence[AugmentationParams] = (), store: FeatureStore | None = None
) -> list[ImageInput]:
    """Load the images of a row; see `open_row_images`.

    Raises:
        ImageUnavailableError: an image can't be read; names the row and the file.
    """
    try:
        return open_row_images(example, params, store)
    except OSError as error:
        name = error.filename or ", ".join(map(str, example.images))
        message = f"{example.where}: {name} can't be read any more: {error.strerror or error}"
        raise ImageUnavailableError(message) from error


class EncodedExamples(Dataset[Encoded]):
    """Examples that are encoded on access: data workers decode and augment the images."""

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
        params: tuple[AugmentationParams, ...] = ()
        if self.augmentation is not None:
            params = self.augmentation.draw(example, row.index, row.epoch)
            example = augment_example(example, params)
        images = load_row_images(example, params, self.features)
        encoded = {**self.family.encode(example, images), ROW_LOCATION: example.where}
        if self.weights is not None:
            encoded[LOSS_WEIGHTS] = self._token_weights(
                example.row.completion, self.weights, len(encoded["labels"])
            )
        if row.padding:
            encoded["labels"].fill_(IGNORE_INDEX)
        return encoded

    def largest_size(self) -> int:
        """Bytes of the encoded row with the most pixels; without images, of that with the longest answer."""

        def size(index: int) -> tuple[int, int]:
            example = self.examples[index]
            return sum(width * height for width, height in example.sizes), len(example.row.completion)

        row = self[RowKey(max(range(len(self)), key=size), 0)]
        return sum(value.nbytes for value in row.values() if isinstance(value, torch.Tensor))

    def _token_weights(self, completion: str, weights: TokenWeights, num_tokens: int) -> torch.Tensor:
        """Loss weights, shape (num_tokens,): 0 for prompt tokens, 1 for the end-of-sequence token."""
        answer = [*weights.compute(completion, self.family.completion_offsets(completion)), 1.0]
        return torch.tensor([0.0] * (num_tokens - len(answer)) + answer)
