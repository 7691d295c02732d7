"""Finds a model's files by its name: built-in, hub id, folder, s3:// prefix; classifies loading errors."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from finscribe_core.constants import BUILT_IN_MODEL, OCI_SCHEME
from finscribe_core.errors import (
    FailureReason,
    FinscribeError,
    RetryableError,
    UserError,
    exception_chain,
)
from finscribe_trainer.model.built_in import find_built_in_model
from finscribe_trainer.model.model_files import find_problem
from finscribe_trainer.runtime.certificates import HOW_TO_TRUST, is_untrusted
from finscribe_trainer.storage import Storage
from finscribe_trainer.storage.uri import is_s3_uri

ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
QUANTIZATION_CONFIG = "quantization_config.json"
"""Beside an adapter: how its base model was quantized in training; transformers' name and content."""
_CHECK_NAME = "Check the model's name: a hub id, a folder, or an s3:// prefix."


@dataclass(frozen=True)
class ModelSource:
    """A model on the hub or in a local folder, as `from_pretrained` takes it."""

    location: str
    """A hub id or a local path."""
    revision: str | None = None
    """Commit, tag or branch of a hub model."""
    given_name: str = ""
    """The name that the user passed, such as an s3:// prefix that was downloaded to `location`."""
    remedy: str = _CHECK_NAME
    """What to do when it is not found."""
    hub_id: str | None = None
    """The hub id of a model that was downloaded from the hub to `location`; `revision` is then its commit."""

    @property
    def name(self) -> str:
        """The name to show in messages."""
        return self.given_name or self.location

    @property
    def lasting_name(self) -> str:
        """A name that finds the model from any working directory: no relative path."""
        if self.hub_id is not None:
            return self.hub_id
        if (
            self.given_name == BUILT_IN_MODEL
            or is_s3_uri(self.given_name)
            or self.given_name.startswith(OCI_SCHEME)
        ):
            return self.given_name
        return os.path.abspath(self.location) if Path(self.location).is_dir() else self.location  # noqa: PTH100 - keeps links


def find_local_or_hub_model(name: str, revision: str | None) -> ModelSource:
    """The source of a model by the built-in model's name, a hub id or a local path.

    Raises:
        UserError: ModelNotFound when the name can only be a path and no folder is there, or when the built-in
            model is damaged.
    """
    if name.removeprefix("hf://") == BUILT_IN_MODEL:  # in a pod's config the prefix has been removed
        return ModelSource(str(find_built_in_model()), None, BUILT_IN_MODEL)
    if name.startswith("hf://"):
        return ModelSource(name.removeprefix("hf://"), revision, name)
    if name.startswith(OCI_SCHEME):
        raise UserError(
            FailureReason.ModelNotFound,
            f"{name}: only a cluster mounts the image of a model.",
            "Copy the model out of the image, and name the folder.",
        )
    path = Path(name)
    if path.is_dir():
        return ModelSource(str(path), None, name)
    if path.is_absolute() or name.startswith((".", "~")) or name.count("/") != 1:
        raise UserError(FailureReason.ModelNotFound, f"{name}: no such folder.", _CHECK_NAME)
    return ModelSource(name, revision, name)


def fetch_model_files(name: str, revision: str | None, folder: Path, storage: Storage) -> ModelSource:
    """The source of a model or an adapter by its name.

    Args:
        name: the built-in model's name, hub id, local path or s3:// prefix.
        revision: commit, tag or branch of a hub id.
        folder: where to download the files of an s3:// prefix to.
        storage: where to download them from.

    Raises:
        UserError: ModelNotFound.
    """
    if is_s3_uri(name):
        return ModelSource(str(storage.fetch_prefix(name, folder)), None, name)
    return find_local_or_hub_model(name, revision)


@contextmanager
def model_errors(source: ModelSource) -> Iterator[None]:
    """Turn errors of `from_pretrained` into user errors and transient errors.

    Raises:
        UserError: ModelNotFound; ModelAccessDenied when the hub answers 401 or 403.
        RetryableError: StorageUnavailable when the hub can't be reached or answers 429 or 5xx.
    """
    try:
        yield
    except FinscribeError:
        raise
    except Exception as error:
        if known := _of_the_hub(source, error) or _of_the_files(source, error):
            raise known from error
        raise


def _of_the_hub(source: ModelSource, error: Exception) -> FinscribeError | None:
    """The error as one of the hub or of the way to it; None if it is none."""
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled  # noqa: PLC0415 - slow to import

    for cause in exception_chain(error):  # libraries raise other errors in their place
        if not isinstance(cause, HfHubHTTPError):
            continue
        status = cause.response.status_code if cause.response is not None else 0
        if status in (401, 403):
            return _access_denied(source, status)
        if status >= 500 or status == 429:
            return RetryableError(
                FailureReason.StorageUnavailable,
                f"{source.name}: the hub answered with HTTP status {status}.",
                "Try again later.",
            )
    if isinstance(error, HfHubHTTPError | OfflineModeIsEnabled):
        return UserError(FailureReason.ModelNotFound, f"{source.name}: {_first_line(error)}", source.remedy)
    if any(is_untrusted(cause) for cause in exception_chain(error)):
        return UserError(
            FailureReason.InvalidConfig, f"{source.name}: the hub's certificate is not trusted.", HOW_TO_TRUST
        )
    if isinstance(error, OSError | ValueError) and _hub_was_unreachable(error):
        return RetryableError(
            FailureReason.StorageUnavailable,
            f"{source.name}: {_first_line(error)}",
            "If this is a local folder, check its name; otherwise try again later.",
        )
    return None


def _access_denied(source: ModelSource, status: int) -> UserError:
    return UserError(
        FailureReason.ModelAccessDenied,
        f"The hub denied access to {source.name} (HTTP status {status}): the model is gated or private, and "
        "no valid token was sent, or there is no such model.",
        "Check the name. Accept the model's conditions on its page, and name a Secret with a token of your "
        "account as HF_TOKEN in model.tokenSecretRef; outside a cluster set HF_TOKEN.",
    )


def _of_the_files(source: ModelSource, error: Exception) -> UserError | None:
    """The error as one of the model's files; None if it is none."""
    from safetensors import SafetensorError  # noqa: PLC0415 - slow to import

    folder = Path(source.location)
    if folder.is_dir() and (problem := find_problem(folder)):
        return UserError(FailureReason.ModelNotFound, f"{source.name} {problem.text}", problem.remedy)
    by_operating_system = isinstance(error, OSError) and error.errno is not None
    if by_operating_system and not isinstance(error, FileNotFoundError):
        return None
    if not isinstance(error, OSError | ValueError | KeyError | SafetensorError):
        return None
    remedy = source.remedy
    if isinstance(error, SafetensorError):
        remedy = "Delete the model from the cache of the hub, and try again."
    elif folder.is_dir():
        remedy = "Use PaddleOCR-VL or a causal language model."
    text = f"{source.name} can't be loaded: {_first_line(error)}"
    return UserError(FailureReason.ModelNotFound, text, remedy)


def _hub_was_unreachable(error: BaseException) -> bool:
    """Whether a failed connection, a 5xx or a 429 caused an OSError of transformers.

    The error itself looks like that of a missing file; only its causes differ.
    """
    from huggingface_hub.constants import is_offline_mode  # noqa: PLC0415 - slow to import
    from huggingface_hub.errors import LocalEntryNotFoundError  # noqa: PLC0415 - likewise

    unreachable = any(isinstance(cause, LocalEntryNotFoundError) for cause in exception_chain(error))
    return unreachable and not is_offline_mode()


def _first_line(error: BaseException) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__).strip()
