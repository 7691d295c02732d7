"""Where a base model's files are, and what is said when they are not there."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from finscribe_core.errors import FailureReason, RetryableError, UserError, with_causes
from finscribe_trainer.storage import Storage

_NO_MODEL = "Check the model's name: a hub id, a folder, or an s3:// prefix."


@dataclass(frozen=True)
class ModelSource:
    """A model on the hub or in a local folder, as `from_pretrained` takes it."""

    location: str
    revision: str | None = None
    said: str = ""
    """How the user named it."""

    @property
    def name(self) -> str:
        """For messages."""
        return self.said or self.location


def local_or_hub(name: str, revision: str | None) -> ModelSource:
    """The source of a name that is no s3:// prefix.

    Raises:
        UserError: ModelNotFound when the name can only be a path, and nothing is there.
    """
    if name.startswith("hf://"):
        return ModelSource(name.removeprefix("hf://"), revision, name)
    path = Path(name)
    if path.is_dir():
        return ModelSource(str(path), None, name)
    if path.is_absolute() or name.startswith((".", "~")) or name.count("/") != 1:
        raise UserError(FailureReason.ModelNotFound, f"{name}: no such folder.", _NO_MODEL)
    return ModelSource(name, revision, name)


def fetch_model_files(name: str, revision: str | None, folder: Path, storage: Storage) -> ModelSource:
    """Where a model's or an adapter's files are: an s3:// prefix is fetched into `folder`.

    Raises:
        UserError: ModelNotFound.
    """
    if name.startswith("s3://"):
        return ModelSource(str(storage.fetch_prefix(name, folder)), None, name)
    return local_or_hub(name, revision)


@contextmanager
def model_errors(source: ModelSource) -> Iterator[None]:
    """Say what `from_pretrained` raises as an error of the user's or the world's.

    Raises:
        UserError: ModelNotFound.
        RetryableError: StorageUnavailable when the hub does not answer though it is asked to.
    """
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled  # noqa: PLC0415 - slow to import
    from safetensors import SafetensorError  # noqa: PLC0415 - likewise

    try:
        yield
    except OfflineModeIsEnabled as error:
        raise UserError(
            FailureReason.ModelNotFound, f"{source.name}: {_first_line(error)}", _NO_MODEL
        ) from None
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        if status >= 500 or status == 429:
            raise RetryableError(
                FailureReason.StorageUnavailable,
                f"{source.name}: the hub answered {status}.",
                "Try again later.",
            ) from None
        raise UserError(
            FailureReason.ModelNotFound, f"{source.name}: {_first_line(error)}", _NO_MODEL
        ) from None
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        if _hub_was_out_of_reach(error):
            raise RetryableError(
                FailureReason.StorageUnavailable,
                f"{source.name}: {_first_line(error)}",
                "If a folder is meant, check its name; else try again later.",
            ) from error
        if (
            isinstance(error, OSError)
            and error.errno is not None
            and not isinstance(error, FileNotFoundError)
        ):
            raise
        raise UserError(
            FailureReason.ModelNotFound, f"{source.name} can't be loaded: {_first_line(error)}", _NO_MODEL
        ) from error


def _hub_was_out_of_reach(error: BaseException) -> bool:
    """A dead connection, a 5xx and a 429 reach us as an OSError like that of a missing file; only its causes
    tell them apart.
    """
    from huggingface_hub.constants import is_offline_mode  # noqa: PLC0415 - slow to import
    from huggingface_hub.errors import LocalEntryNotFoundError  # noqa: PLC0415 - likewise

    out_of_reach = any(isinstance(cause, LocalEntryNotFoundError) for cause in with_causes(error))
    return out_of_reach and not is_offline_mode()


def _first_line(error: BaseException) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__).strip()
