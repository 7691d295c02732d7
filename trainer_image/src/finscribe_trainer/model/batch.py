"""The tensors of an encoded row and of a batch, and the names of their entries."""

from typing import Any

IGNORE_INDEX = -100
"""Label of a token that is not learned."""
ROW_LOCATION = "where"
"""File and line of each row of a batch, for messages."""
LOSS_WEIGHTS = "loss_weights"
"""What each token counts in the training loss, beside its label."""
Encoded = dict[str, Any]
"""A row: tensors with an entry for each token, and `images`, one dict each. Or a batch, whose every value has
an entry for each row."""
