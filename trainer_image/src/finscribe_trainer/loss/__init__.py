"""The training loss on answer tokens: cross-entropy, focal loss, label smoothing, token weights."""
