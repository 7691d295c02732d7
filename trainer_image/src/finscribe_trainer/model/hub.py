"""Downloads a model from the Hugging Face Hub, or from the mirror in HF_ENDPOINT, by its commit."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from finscribe_trainer.model.source import ModelSource, model_errors
from finscribe_trainer.storage import Storage
from finscribe_trainer.storage.file_cache import FileCache, entry_key

_NEEDED = ["*.json", "*.jinja", "*.txt", "*.model", "*.tiktoken", "*.vocab", "model*.safetensors"]
"""Files that are loaded: config, tokenizer, processor, weights. No code, and no weights of other formats."""


def fetch_hub_model(source: ModelSource, folder: Path, storage: Storage) -> ModelSource:
    """Download a model: nothing has to be requested later, and a branch may move meanwhile.

    Without a cache of downloads it is in the hub's own cache, from which it is also taken when the hub can't
    be reached.

    Args:
        source: hub id and revision.
        folder: where to download it to if there is a cache of downloads.
        storage: has the cache of downloads.

    Returns:
        the folder with the model's files, and the commit as revision.

    Raises:
        UserError: ModelNotFound, ModelAccessDenied.
        RetryableError: StorageUnavailable.
    """
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - slow to import

    with model_errors(source):
        if storage.cache is not None:
            commit = _fetch_with_cache(source, folder, storage, storage.cache)
        else:
            path = snapshot_download(source.location, revision=source.revision, allow_patterns=_NEEDED)
            folder = Path(path)
            commit = folder.name
    return replace(
        source, location=str(folder), revision=commit, given_name=source.name, hub_id=source.location
    )


def _fetch_with_cache(source: ModelSource, folder: Path, storage: Storage, cache: FileCache) -> str:
    """Copy the files that are in the cache, and download the rest; returns the commit."""
    from huggingface_hub import constants, hf_hub_download  # noqa: PLC0415 - slow to import

    files = _list_files(source)
    commit = str(files[0].commit_hash)

    def missing(names: list[str]) -> list[str]:
        return [name for name in names if not cache.copy(key(name), folder / name)]

    def key(name: str) -> str:
        return entry_key("hub", constants.ENDPOINT, source.location, commit, name)

    if left := missing([file.filename for file in files]):
        with cache.turn(f"{constants.ENDPOINT} {source.location} {commit}", storage.sleep):
            for name in missing(left):
                hf_hub_download(source.location, name, revision=commit, local_dir=folder)
                cache.add(key(name), folder / name)
    return commit


def _list_files(source: ModelSource) -> list[Any]:
    """The files of the model, with its commit."""
    from huggingface_hub import errors as hub  # noqa: PLC0415 - slow to import
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - likewise

    try:
        files: Any = snapshot_download(
            source.location, revision=source.revision, allow_patterns=_NEEDED, dry_run=True
        )
    except hub.DryRunError as error:  # it hides why the hub could not be asked
        if isinstance(error.__cause__, hub.HfHubHTTPError):
            raise error.__cause__ from None
        raise hub.LocalEntryNotFoundError(str(error.__cause__ or error)) from error
    if not files:
        raise hub.EntryNotFoundError(f"There is no model at {source.location}.")
    return list(files)
