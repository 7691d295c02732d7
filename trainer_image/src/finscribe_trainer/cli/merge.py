"""`finscribe merge`: merges an adapter into its base model."""

import re
from typing import Any

import click

from finscribe_trainer.cli.help_settings import HELP_SETTINGS
from finscribe_trainer.cli.overwrite_option import overwrite_option
from finscribe_trainer.runtime.garbage import imports_excluded

_SIZE = re.compile(r"\d+(\.\d+)?\s*[KMG]I?B", re.IGNORECASE)
_DTYPES = ("auto", "float32", "bfloat16", "float16")


def _size(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if not _SIZE.fullmatch(value) or float(re.split(r"[^\d.]", value)[0]) == 0:
        raise click.BadParameter(f"{value!r} is not a size, such as 5GB or 500MB.")
    return value.replace(" ", "").upper()


@click.command(
    short_help="Merge an adapter into its base model.",
    context_settings=HELP_SETTINGS,
)
@click.option(
    "--base-model",
    help="The adapter's base model: a hub id, a folder or an s3:// prefix; by default the one in "
    "adapter_config.json.",
)
@click.option("--adapter-path", required=True, help="The adapter: a folder or an s3:// prefix.")
@click.option("--output-dir", required=True, help="Where to write: an empty or new folder or s3:// prefix.")
@click.option(
    "--revision", help="Commit, tag or branch of the base model; by default the one in adapter_config.json."
)
@click.option(
    "--dtype",
    type=click.Choice(_DTYPES),
    default="auto",
    show_default=True,
    help="Dtype of the stored weights; auto is the base model's.",
)
@click.option(
    "--max-shard-size",
    default="5GB",
    show_default=True,
    callback=_size,
    help="Maximum size of a weights file; larger models are split into several files.",
)
@overwrite_option
def merge(dtype: str, max_shard_size: str, *, overwrite: bool, **named: Any) -> None:
    """Merge a LoRA adapter into its base model.

    The result has the layout of a model on the hub: transformers alone loads it, with tokenizer, processor,
    chat template and generation config. Its logits are compared with those of base model plus adapter on a
    synthetic page: if they differ, the merge fails and leaves no files. An adapter that was trained on a
    4-bit base model (QLoRA) is merged into weights that are rounded in the same way.

    The merge runs on the CPU in float32: it needs 4 bytes of memory per parameter.

    \b
    Exit codes:  0 done   78 user error: change options or adapter   75 transient error: run again   70 bug

    \b
    Examples:
      finscribe merge --base-model PaddlePaddle/PaddleOCR-VL \\
        --adapter-path finetuned_model/final_model --output-dir ./deployed_model
      finscribe merge --adapter-path s3://team-models/invoices/runs/invoices-7f3c9a/adapter \\
        --output-dir s3://team-models/deployed/invoices
    """  # noqa: D301 - click reads \b as "keep these lines"
    from finscribe_trainer.cli.session import command_session  # noqa: PLC0415 - `--help` is fast

    with command_session("Nothing was written."):
        with imports_excluded():
            import torch  # noqa: PLC0415 - likewise

            from finscribe_trainer.model.merge import MergedFiles  # noqa: PLC0415
            from finscribe_trainer.pipeline.merge import MergeRequest, merge_to_output  # noqa: PLC0415

        request = MergeRequest(
            named["adapter_path"],
            named["base_model"],
            named["revision"],
            named["output_dir"],
            overwrite,
        )
        merge_to_output(
            request, MergedFiles(None if dtype == "auto" else getattr(torch, dtype), max_shard_size)
        )
    click.echo(f"Wrote the merged model to {request.output}.")
