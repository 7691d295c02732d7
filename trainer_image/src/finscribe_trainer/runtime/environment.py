"""Sets environment variables and process limits before the libraries that read them are imported."""

import os
import resource
import warnings

MAX_OPEN_FILES = 65_536
"""Enough for batches of thousands of rows."""


def prepare_environment() -> None:
    """Set what the libraries read from the environment, before they are imported."""
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # data workers are forked
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    raise_open_file_limit()
    # peft asks by the old name
    warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)


def raise_open_file_limit() -> None:
    """Raise the limit of open files as far as it goes: data workers hand over each tensor by some of them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
