"""Model families: loading, prompts and batches of PaddleOCR-VL and of causal language models."""
