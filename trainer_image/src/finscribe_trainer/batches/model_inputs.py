"""Converts a batch of rows to the arguments of the model's forward pass."""

from dataclasses import dataclass

from finscribe_trainer.batches.features.cache import FeatureCache
from finscribe_trainer.batches.packing import pack
from finscribe_trainer.model.batch import ROW_LOCATION, Encoded
from finscribe_trainer.model.families.base import Family


@dataclass(frozen=True)
class ModelInputs:
    """The last step before the model; until then, a batch can be sliced by rows."""

    family: Family
    features: FeatureCache | None = None
    packing: bool = False

    def __call__(self, batch: Encoded) -> Encoded:
        """Replace images by cached features and pack the rows, if enabled.

        Args:
            batch: on the model's device; its images are replaced in place.
        """
        if self.features is not None:
            self.features.fill(batch)
        rows = {name: values for name, values in batch.items() if name != ROW_LOCATION}
        return self.family.model_inputs(pack(rows) if self.packing else rows)
