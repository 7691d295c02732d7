"""`finscribe plan`: tokens, steps, memory, time and cost of a training, without a GPU."""
