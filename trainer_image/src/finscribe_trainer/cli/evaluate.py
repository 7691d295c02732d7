"""`finscribe evaluate`: evaluates a model on a test set."""

from pathlib import Path

import click

from finscribe_trainer.cli.help_settings import HELP_SETTINGS
from finscribe_trainer.cli.image_root_option import image_root_option
from finscribe_trainer.cli.inference_options import inference_options
from finscribe_trainer.cli.overwrite_option import overwrite_option
from finscribe_trainer.runtime.garbage import imports_excluded


@click.command(
    short_help="Evaluate a model on documents with ground truth.",
    context_settings=HELP_SETTINGS,
)
@click.option("--test-dir", required=True, help="Test documents: a folder, a rows file, or an s3:// URI.")
@click.option(
    "--model-path", required=True, help="An adapter's or a model's folder, s3:// prefix, or hub id."
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="File to write, such as evaluation/results.json.",
)
@click.option("--base-model", help="The adapter's base model, instead of the one in adapter_config.json.")
@image_root_option
@inference_options
@overwrite_option
def evaluate(  # noqa: PLR0913, PLR0917 - one for each option
    test_dir: str,
    model_path: str,
    output: Path,
    base_model: str | None,
    image_root: str | None,
    batch_size: int,
    max_new_tokens: int | None,
    limit: int | None,
    *,
    overwrite: bool,
) -> None:
    """Generate a model's answers for documents with ground truth, and score them.

    \b
    In a folder, test.jsonl is used, else val.jsonl (or .jsonl.gz, .parquet), else all row files.
    The model may be an adapter (final_model/, checkpoint-<step>/), a merged model
    or a base model. It answers each row's prompt by greedy decoding.

    \b
    Writes
      <output>                 metrics with 95 % confidence intervals, by field and by region; every answer
      <output>.partial.jsonl   the answers so far, from which the same command resumes; removed at the end
      <output>.inputs/         files downloaded from s3://

    \b
    Exit codes:  0 done   78 user error: change options or data   75 transient error: run again   70 bug

    \b
    Examples:
      finscribe evaluate --test-dir data/test_dataset --model-path finetuned_model/final_model \\
        --output evaluation/results.json
      finscribe evaluate --test-dir data/test.jsonl --model-path PaddlePaddle/PaddleOCR-VL \\
        --output evaluation/base.json --limit 100
    """  # noqa: D301 - click reads \b as "keep these lines"
    from finscribe_trainer.cli.session import command_session  # noqa: PLC0415 - `--help` is fast

    with command_session():
        from finscribe_trainer.evaluation.test_set import load_test_set  # noqa: PLC0415 - likewise

        test_set = load_test_set(test_dir, limit, output, image_root)

        # torch takes seconds to import: errors in the rows are reported before.
        with imports_excluded():
            from finscribe_trainer.evaluation.evaluate import evaluate_to_file  # noqa: PLC0415
            from finscribe_trainer.evaluation.report.terminal import summary_lines  # noqa: PLC0415

        results = evaluate_to_file(
            output, model_path, base_model, test_set, batch_size, max_new_tokens, overwrite=overwrite
        )
    for line in summary_lines(results):
        click.echo(line)
    click.echo(f"All answers are in {output}.")
