"""`finscribe merge`: an adapter and its base become one model."""

import re
from typing import Any

import click

_SIZE = re.compile(r"\d+(\.\d+)?\s*[KMG]I?B", re.IGNORECASE)
_DTYPES = ("auto", "float32", "bfloat16", "float16")


def _size(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if not _SIZE.fullmatch(value) or float(re.split(r"[^\d.]", value)[0]) == 0:
        raise click.BadParameter(f"{value!r} is no size; write 5GB or 500MB.")
    return value.replace(" ", "").upper()


@click.command(
    short_help="Merge an adapter into its base model.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--base-model",
    help="The adapter's base: a hub id, a folder or an s3:// prefix; by adapter_config.json if unset.",
)
@click.option("--adapter-path", required=True, help="The adapter: a folder or an s3:// prefix.")
@click.option(
    "--output-dir", required=True, help="Where to write: a folder that is empty or new, or an s3:// prefix."
)
@click.option("--revision", help="The base's commit, tag or branch on the hub; the adapter's if unset.")
@click.option(
    "--dtype",
    type=click.Choice(_DTYPES),
    default="auto",
    show_default=True,
    help="What weights are stored in; auto is the base's own.",
)
@click.option(
    "--max-shard-size",
    default="5GB",
    show_default=True,
    callback=_size,
    help="Most that a file of weights holds; a larger model becomes several files.",
)
def merge(dtype: str, max_shard_size: str, **named: Any) -> None:
    """Merge a LoRA adapter into its base model, so that the result stands alone.

    The result is laid out as models on the hub are: it loads in plain transformers, with tokenizer,
    processor, chat template and generation settings. It is compared with base plus adapter on a made-up
    page before it gets its place: a merge that computes other logits fails, and leaves nothing.
    An adapter that was trained on a 4-bit base (QLoRA) is merged into the base as published.

    It is computed on the CPU, in float32: 4 bytes of memory for each of the model's parameters.

    \b
    Exit codes:  0 done   78 the options or the adapter must be changed   75 try again   70 a defect

    \b
    Examples:
      finscribe merge --base-model PaddlePaddle/PaddleOCR-VL \\
        --adapter-path finetuned_model/final_model --output-dir ./deployed_model
      finscribe merge --adapter-path s3://team-models/invoices/runs/invoices-7f3c9a/adapter \\
        --output-dir s3://team-models/deployed/invoices
    """  # noqa: D301 - click reads \b as "keep these lines"
    from finscribe_trainer.cli.session import command_session  # noqa: PLC0415 - `--help` is fast

    with command_session("Nothing was written."):
        import torch  # noqa: PLC0415 - likewise

        from finscribe_trainer.model.merge import MergedFiles  # noqa: PLC0415
        from finscribe_trainer.pipeline.merge import MergeRequest, merge_into  # noqa: PLC0415

        request = MergeRequest(
            named["adapter_path"], named["base_model"], named["revision"], named["output_dir"]
        )
        merge_into(request, MergedFiles(None if dtype == "auto" else getattr(torch, dtype), max_shard_size))
    click.echo(f"The merged model is in {request.output}.")
