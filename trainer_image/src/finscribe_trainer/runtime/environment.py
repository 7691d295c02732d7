"""Sets environment variables and process limits before the libraries that read them are imported."""

import os
import resource
import warnings

from finscribe_core.constants import ENV_IMAGE_MOUNTS
from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.runtime.certificates import trust_private_authorities

MAX_OPEN_FILES = 65_536
"""Enough for batches of thousands of rows: data workers use file descriptors to share tensors."""


def prepare_environment() -> None:
    """Set the environment variables that libraries read at import, and raise the limit of open files.

    Raises:
        UserError: InvalidConfig: the file of FINSCRIBE_CA_BUNDLE is unusable, or an image is not mounted.
    """
    check_image_mounts()
    set_library_variables()
    trust_private_authorities()
    raise_open_file_limit()
    # peft uses the deprecated name
    warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)


def check_image_mounts() -> None:
    """Check that the images of the pod's volumes are mounted.

    Raises:
        UserError: InvalidConfig: one is not, as the cluster has no image volumes.
    """
    paths = os.environ.get(ENV_IMAGE_MOUNTS, "")
    missing = [path for path in paths.split(":") if path and not os.path.lexists(path)]
    if missing:
        raise UserError(
            FailureReason.InvalidConfig,
            f"The image of pod.volumes is not mounted at {', '.join(missing)}: the cluster has no image "
            "volumes.",
            "Kubernetes has them by default from version 1.35 on, from 1.31 on with the feature gate "
            "ImageVolume of API server and kubelets. Otherwise copy the files to another volume.",
        )


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
