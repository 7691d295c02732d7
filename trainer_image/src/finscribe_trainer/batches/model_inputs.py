"""From a batch of rows to what the model is called with."""

from dataclasses import dataclass

from finscribe_trainer.batches.features.cache import FeatureCache
from finscribe_trainer.batches.packing import pack
from finscribe_trainer.model.batch import ROW_LOCATION, Encoded
from finscribe_trainer.model.families.base import Family


@dataclass(frozen=True)
class ModelInputs:
    """The last step before the model: until then the rows of a batch can be taken apart."""

    family: Family
    features: FeatureCache | None = None
    packing: bool = False

    def __call__(self, batch: Encoded) -> Encoded:
        """Images as features, where those are cached; rows packed, where they are to be.

        Args:
            batch: on the model's device; its images become features in place.
        """
        if self.features is not None:
            self.features.fill(batch)
        rows = {name: values for name, values in batch.items() if name != ROW_LOCATION}
        return self.family.model_inputs(pack(rows) if self.packing else rows)
