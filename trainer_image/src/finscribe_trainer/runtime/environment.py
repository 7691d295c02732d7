"""Sets environment variables and process limits before the libraries that read them are imported."""

import os
import resource
import warnings

from finscribe_trainer.runtime.certificates import trust_private_authorities

MAX_OPEN_FILES = 65_536
"""Enough for batches of thousands of rows: data workers use file descriptors to share tensors."""


def prepare_environment() -> None:
    """Set the environment variables that libraries read at import, and raise the limit of open files.

    Raises:
        UserError: InvalidConfig: the file of FINSCRIBE_CA_BUNDLE is unusable.
    """
    set_library_variables()
    trust_private_authorities()
    raise_open_file_limit()
    # peft uses the deprecated name
    warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)


def set_library_variables() -> None:
    """Set the environment variables that the Hugging Face libraries read when they are imported."""
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # data workers are forked
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")


def raise_open_file_limit() -> None:
    """Raise the soft limit of open files to MAX_OPEN_FILES, or the hard limit if that is lower."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
