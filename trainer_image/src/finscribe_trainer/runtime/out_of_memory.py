"""Recognizes CUDA out-of-memory errors without importing PyTorch."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether PyTorch could not allocate memory, or cuBLAS could not allocate its workspace."""
    if type(error).__name__ == "OutOfMemoryError" and type(error).__module__.startswith("torch"):
        return True
    return isinstance(error, RuntimeError) and "CUBLAS_STATUS_ALLOC_FAILED" in str(error)
