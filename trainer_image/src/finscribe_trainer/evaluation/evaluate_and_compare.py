"""Runs `finscribe compare`: evaluates the given models, reads the given results files, and compares them."""

import logging
from dataclasses import dataclass
from pathlib import Path

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.evaluation.compare import Comparison, check_comparable, compare
from finscribe_trainer.evaluation.report.pages import Pages, find_pages, pages_of
from finscribe_trainer.evaluation.results import Results, read_results
from finscribe_trainer.evaluation.test_set import TestSet, load_test_set

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ComparedModel:
    """One of the two models of a comparison: a model to evaluate, or a results file of it."""

    option: str
    """Prefix of its command line options: `baseline` or `finetuned`."""
    model: str | None
    """Folder, s3:// prefix or hub id of the model to evaluate."""
    results: Path | None
    """Results file of an earlier evaluation."""
    output: Path
    """Results file that the evaluation of `model` writes."""
    base_model: str | None = None
    """The adapter's base model, instead of the one in its adapter_config.json."""


@dataclass(frozen=True)
class InferenceOptions:
    """Test documents and inference options; unused when both models are given as results."""

    source: str | None
    """The test set: a file, a folder or an s3:// URI."""
    limit: int | None
    """Maximum number of documents."""
    batch_size: int
    max_new_tokens: int | None
    image_root: str | None = None
    """See `load_test_set`."""
    overwrite: bool = False
    """Whether results of other evaluations may be replaced."""


def evaluate_and_compare(
    base: ComparedModel, tuned: ComparedModel, options: InferenceOptions
) -> tuple[Comparison, Pages]:
    """Evaluate the models that are not given as results, base model first, and compare both.

    Both use the same max_new_tokens, by default the base model's: it depends on the tokenizer.

    Returns:
        the comparison, and the pages of its documents that are on this machine.

    Raises:
        UserError: contradictory options, and the errors of `evaluate_to_file` and `compare`.
    """
    _check(base, tuned, options)
    before, after = (
        read_results(compared.results) if compared.results else None for compared in (base, tuned)
    )
    if before is None or after is None:
        assert options.source is not None
        test_set = load_test_set(options.source, options.limit, base.output, options.image_root)
        limit = options.max_new_tokens
        known = before or after
        if known is not None:
            # Checked before hours of inference.
            check_comparable((known.data, known.settings), (test_set.info, known.settings))
            limit = limit or known.settings.max_new_tokens
        before = before or _evaluate(base, test_set, options, limit)
        after = after or _evaluate(tuned, test_set, options, limit or before.settings.max_new_tokens)
        return compare(before, after), pages_of(test_set.examples)
    assert base.results is not None
    return compare(before, after), find_pages(before, base.results, options.image_root)


def _evaluate(
    compared: ComparedModel, test_set: TestSet, options: InferenceOptions, limit: int | None
) -> Results:
    # torch takes seconds to import: errors in options, results or rows are reported before.
    from finscribe_trainer.evaluation.evaluate import evaluate_to_file  # noqa: PLC0415

    assert compared.model is not None
    log.info("%s model: %s", compared.option, compared.model)
    return evaluate_to_file(
        compared.output,
        compared.model,
        compared.base_model,
        test_set,
        options.batch_size,
        limit,
        overwrite=options.overwrite,
    )


def _check(base: ComparedModel, tuned: ComparedModel, options: InferenceOptions) -> None:
    for compared in (base, tuned):
        if (compared.model is None) == (compared.results is None):
            raise _contradiction(
                f"--{compared.option}-model {'or' if compared.model is None else 'and'} "
                f"--{compared.option}-results "
                f"{'is missing' if compared.model is None else 'are both given'}.",
                "Pass exactly one of them.",
            )
    models = [compared for compared in (base, tuned) if compared.model is not None]
    if models and options.source is None:
        raise _contradiction("--test-dir is missing.", "Pass the documents to evaluate the models on.")
    if not models and (options.source or options.limit or options.max_new_tokens):
        raise _contradiction(
            "--test-dir, --limit and --max-new-tokens have no effect when both models are given as results.",
            "Remove them.",
        )
    if tuned.base_model is not None and tuned.model is None:
        raise _contradiction("--base-model has no effect without --finetuned-model.", "Remove it.")


def _contradiction(message: str, remedy: str) -> UserError:
    return UserError(FailureReason.InvalidConfig, message, remedy)
