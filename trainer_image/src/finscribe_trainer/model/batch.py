"""Type and key names of an encoded row and of a batch."""

from typing import Any

IGNORE_INDEX = -100
"""Label of tokens that are masked in the loss, such as the prompt's."""
ROW_LOCATION = "where"
"""Key of the `file:line` of each row in a batch, for messages."""
LOSS_WEIGHTS = "loss_weights"
"""Key of each token's weight in the training loss (tokens,), beside `labels`."""
Encoded = dict[str, Any]
"""An encoded row: tensors with an entry for each token, and `images`, a list of dicts. Or a batch of rows,
whose values have an entry for each row."""
