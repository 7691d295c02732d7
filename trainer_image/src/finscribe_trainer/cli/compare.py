"""`finscribe compare`: compares two models on the same documents."""

import sys
from pathlib import Path

import click

from finscribe_core.cli import main_command
from finscribe_trainer.cli.help_settings import HELP_SETTINGS
from finscribe_trainer.cli.image_root_option import image_root_option
from finscribe_trainer.cli.inference_options import inference_options
from finscribe_trainer.cli.overwrite_option import overwrite_option
from finscribe_trainer.runtime.garbage import imports_excluded


@click.command(context_settings=HELP_SETTINGS)
@click.argument("runs", nargs=-1, metavar="[RUN RUN]")
@click.option("--baseline-model", help="The base model: a folder, an s3:// prefix, or a hub id.")
@click.option("--finetuned-model", help="The tuned model: likewise; an adapter is loaded onto its base.")
@click.option("--test-dir", help="Test documents: a folder, a rows file, or an s3:// URI.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Report to write, such as evaluation/comparison_report.md.",
)
@click.option(
    "--baseline-results",
    type=click.Path(path_type=Path),
    help="Results file of `finscribe evaluate`, instead of --baseline-model.",
)
@click.option(
    "--finetuned-results",
    type=click.Path(path_type=Path),
    help="Results file of `finscribe evaluate`, instead of --finetuned-model.",
)
@click.option(
    "--base-model", help="The tuned adapter's base model, instead of the one in adapter_config.json."
)
@image_root_option
@inference_options
@overwrite_option
def compare(  # noqa: PLR0913, PLR0917 - one for each option
    runs: tuple[str, ...],
    baseline_model: str | None,
    finetuned_model: str | None,
    test_dir: str | None,
    output: Path | None,
    baseline_results: Path | None,
    finetuned_results: Path | None,
    base_model: str | None,
    image_root: str | None,
    batch_size: int,
    max_new_tokens: int | None,
    limit: int | None,
    *,
    overwrite: bool,
) -> None:
    """Evaluate two models on the same documents, and report the differences.

    Both generate answers to the same prompts by greedy decoding with the same --max-new-tokens. Each is given
    as a model, or as the results that `finscribe evaluate` wrote. --output is required.

    `finscribe compare RUN RUN` shows two runs of a cluster instead, as `finscribe compare-runs` does.

    \b
    Writes
      <output>                                metrics with 95 % confidence intervals, regressed and improved
                                              fields and documents (Markdown)
      <output, ending in .html>               the same as an HTML page, with plots and images of documents
      results-base.json, results-tuned.json   beside it, for each given model: every answer

    An interrupted comparison resumes when the command is run again.

    \b
    Exit codes:  0 done   78 user error: change options or data   75 transient error: run again   70 bug

    \b
    Examples:
      finscribe compare --baseline-model PaddlePaddle/PaddleOCR-VL \\
        --finetuned-model finetuned_model/final_model --test-dir data/test_dataset \\
        --output evaluation/comparison_report.md
      finscribe compare --baseline-results evaluation/base.json \\
        --finetuned-results evaluation/results.json --output evaluation/comparison_report.md
    """  # noqa: D301 - click reads \b as "keep these lines"
    if runs:
        sys.exit(main_command.main(["compare-runs", *runs], prog_name="finscribe"))
    if output is None:
        raise click.UsageError("Missing option '--output'.")
    from finscribe_trainer.cli.session import command_session  # noqa: PLC0415 - `--help` is fast

    with command_session():
        with imports_excluded():
            from finscribe_trainer.evaluation.evaluate_and_compare import (  # noqa: PLC0415
                ComparedModel,
                InferenceOptions,
                evaluate_and_compare,
            )
            from finscribe_trainer.evaluation.report.terminal import print_comparison  # noqa: PLC0415
            from finscribe_trainer.evaluation.report.write import check_output, write_reports  # noqa: PLC0415 - likewise
            from finscribe_trainer.runtime.outputs import claim_files  # noqa: PLC0415

        check_output(output)  # before hours of inference
        results = [output.with_name(f"results-{which}.json") for which in ("base", "tuned")]
        base = ComparedModel("baseline", baseline_model, baseline_results, results[0])
        tuned = ComparedModel("finetuned", finetuned_model, finetuned_results, results[1], base_model)
        options = InferenceOptions(test_dir, limit, batch_size, max_new_tokens, image_root, overwrite)
        with claim_files(output, overwrite=True):  # what is there is a report, made again from the results
            comparison, pages = evaluate_and_compare(base, tuned, options)
            print_comparison(comparison, write_reports(comparison, output, pages))
