"""Training rows as tensors: which row, in which pass over the set, changed how."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch.utils.data import Dataset

from finscribe_trainer.data.dataset import Example
from finscribe_trainer.families.base import Encoded, Family
from finscribe_trainer.loss.weights import AnswerWeights


@dataclass(frozen=True)
class RowKey:
    """A row in a pass over the set: all that anything random about it may depend on, beside the seed."""

    index: int
    epoch: int


class EncodedExamples(Dataset[Encoded]):
    """Examples, encoded when they are asked for: images are decoded in the data workers."""

    def __init__(
        self, examples: Sequence[Example], family: Family, weights: AnswerWeights | None = None
    ) -> None:
        self.examples = examples
        self.family = family
        self.weights = weights

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, key: RowKey | int) -> Encoded:
        row = key if isinstance(key, RowKey) else RowKey(key, 0)
        return self.family.encode(self.examples[row.index], weights=self.weights)
