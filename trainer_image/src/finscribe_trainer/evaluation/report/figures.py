"""What `finscribe evaluate` prints: the training guide's four lines, then the rest."""

from collections.abc import Iterator

from finscribe_trainer.evaluation.report.labels import LABELS, percent
from finscribe_trainer.evaluation.results import Results
from finscribe_trainer.metrics.corpus import Figure


def summary_lines(results: Results) -> Iterator[str]:
    """`Field Accuracy: 94.2% [92.8%, 95.6%]` and so on, with what they were measured on."""
    for metric, name in LABELS.items():
        yield f"{name}: {_shown(results.summary.metrics.get(metric))}"
    yield ""
    yield f"{'Gate, passed by':<24} {'answers':>24}   right answers themselves"
    for gate, figure in results.summary.gates.items():
        yield f"{gate:<24} {_shown(figure):>24}   {percent(results.ceiling[gate].value)}"
    cut_off = sum(record.cut_off for record in results.documents)
    yield ""
    yield (
        f"{len(results.documents)} documents of {results.data.source}, "
        f"{results.timing.seconds / max(1, len(results.documents)):.2g} s each on {results.timing.device}; "
        f"in brackets: 95 % intervals."
    )
    if cut_off:
        yield f"{cut_off} answers were cut off after {results.settings.max_new_tokens} tokens."


def _shown(figure: Figure | None) -> str:
    if figure is None or not figure.documents:
        return "does not apply to these documents"
    return f"{percent(figure.value)} [{percent(figure.low)}, {percent(figure.high)}]"
