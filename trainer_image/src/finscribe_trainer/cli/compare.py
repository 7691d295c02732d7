"""`finscribe compare`: what the tuning was worth."""

from pathlib import Path

import click

from finscribe_trainer.cli.inference_options import reading_options


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--baseline-model", help="The model before: a folder, an s3:// prefix, or a hub id.")
@click.option("--finetuned-model", help="The model after: likewise; an adapter reads with its base.")
@click.option("--test-dir", help="Documents: a folder, a rows' file, or an s3:// URI.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="Report to write, such as evaluation/comparison_report.md.",
)
@click.option(
    "--baseline-results",
    type=click.Path(path_type=Path),
    help="What `finscribe evaluate` wrote, instead of --baseline-model.",
)
@click.option(
    "--finetuned-results",
    type=click.Path(path_type=Path),
    help="What `finscribe evaluate` wrote, instead of --finetuned-model.",
)
@click.option(
    "--base-model", help="The tuned adapter's base, where it is not what adapter_config.json names."
)
@reading_options
def compare(  # noqa: PLR0913, PLR0917 - one for each option
    baseline_model: str | None,
    finetuned_model: str | None,
    test_dir: str | None,
    output: Path,
    baseline_results: Path | None,
    finetuned_results: Path | None,
    base_model: str | None,
    batch_size: int,
    max_new_tokens: int | None,
    limit: int | None,
) -> None:
    """Let two models read the same documents, and report what changed.

    Both answer the same prompts, greedily, with the same limit. Each side is a model, or the results
    that `finscribe evaluate` wrote of it.

    \b
    Writes
      <output>                                figures with 95 % intervals, losses and gains (Markdown)
      <output, ending in .html>               the same as a page, with plots and the documents' pages
      results-base.json, results-tuned.json   beside it, for each side that is a model: every answer

    A comparison that was cut off goes on from the answers so far.

    \b
    Exit codes:  0 done   78 the options or the data must be changed   75 try again   70 a defect

    \b
    Examples:
      finscribe compare --baseline-model PaddlePaddle/PaddleOCR-VL \\
        --finetuned-model finetuned_model/final_model --test-dir data/test_dataset \\
        --output evaluation/comparison_report.md
      finscribe compare --baseline-results evaluation/base.json \\
        --finetuned-results evaluation/results.json --output evaluation/comparison_report.md
    """  # noqa: D301 - click reads \b as "keep these lines"
    from finscribe_trainer.cli.session import command_session  # noqa: PLC0415 - `--help` is fast

    with command_session():
        from finscribe_trainer.evaluation.compare_sides import Reading, Side, compare_sides  # noqa: PLC0415
        from finscribe_trainer.evaluation.report.terminal import show  # noqa: PLC0415
        from finscribe_trainer.evaluation.report.write import check_output, write_reports  # noqa: PLC0415 - likewise

        check_output(output)  # before hours of reading
        kept = [output.with_name(f"results-{which}.json") for which in ("base", "tuned")]
        base = Side("baseline", baseline_model, baseline_results, kept[0])
        tuned = Side("finetuned", finetuned_model, finetuned_results, kept[1], base_model)
        comparison = compare_sides(base, tuned, Reading(test_dir, limit, batch_size, max_new_tokens))
        show(comparison, write_reports(comparison, output))
