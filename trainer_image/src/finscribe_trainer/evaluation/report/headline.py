"""A comparison in plain words: one sentence, and what a reader must know beside it."""

from finscribe_core.trainer_config import DocumentMetric
from finscribe_trainer.evaluation.compare import FEWEST_DOCUMENTS, JUDGED_BY, SIGNIFICANT, Comparison
from finscribe_trainer.evaluation.report.labels import p_value, percent
from finscribe_trainer.evaluation.results import Results

_ASKED_FOR_JSON = 0.9
"""Share of strict JSON below which a model evidently does not know that it is to write JSON."""


def headline(comparison: Comparison) -> str:
    """What came out, and whether it may be chance.

    "The tuned model reads 83 of 100 fields right; the base model 2. The difference is significant
    (p < 0.001, 200 documents)."
    """
    pair = next((pair for pair in comparison.metrics if pair.name == JUDGED_BY), None)
    if pair is None:
        return "No document has a field to read, so the models can't be compared."
    tuned, base = _of_hundred(pair.tuned.value, pair.base.value)
    documents = pair.difference.documents
    counted = f"{documents} document{'' if documents == 1 else 's'}"
    reads = f"The tuned model reads {tuned} of 100 fields right; the base model {base}."
    if documents < FEWEST_DOCUMENTS:
        return f"{reads} {counted} {'is' if documents == 1 else 'are'} too few to tell this from chance."
    if pair.change == 0:
        return f"{reads} There is no difference ({counted})."
    because = f"({p_value(pair.difference.p_value)}, {counted})"
    if pair.difference.p_value < SIGNIFICANT:
        return f"{reads} The difference is significant {because}."
    return f"{reads} The difference is not significant {because}: it may be chance."


def _of_hundred(tuned: float, base: float) -> tuple[str, str]:
    """Whole numbers, unless they would hide a difference or call a figure all or none that is not."""
    texts = [f"{100 * value:.0f}" for value in (tuned, base)]
    exact = {"0": 0.0, "100": 1.0}
    hidden = texts[0] == texts[1] and tuned != base
    rounded = any(exact.get(text, value) != value for text, value in zip(texts, (tuned, base), strict=True))
    if hidden or rounded:
        return f"{100 * tuned:.1f}", f"{100 * base:.1f}"
    return texts[0], texts[1]


def notes(comparison: Comparison) -> list[str]:
    """What a reader may otherwise get wrong, a sentence each."""
    found = []
    for who, results in (("base", comparison.base), ("tuned", comparison.tuned)):
        parsed = results.summary.metrics.get(DocumentMetric.parse_rate)
        if parsed is not None and parsed.value < _ASKED_FOR_JSON:
            found.append(
                f"Only {percent(parsed.value)} of the {who} model's answers are strict JSON: its figures "
                "show how well it keeps the asked-for form as much as how well it reads."
            )
        cut_off = sum(record.cut_off for record in results.documents)
        if cut_off:
            found.append(
                f"{cut_off} of {len(results.documents)} answers of the {who} model were cut off after "
                f"{results.settings.max_new_tokens} tokens."
            )
    if comparison.base.model.fingerprint == comparison.tuned.model.fingerprint:
        found.append("Both results are of the same model.")
    changed = _changed_versions(comparison.base, comparison.tuned)
    if changed:
        found.append(f"The models were read by different versions: {', '.join(changed)}.")
    return found


def _changed_versions(base: Results, tuned: Results) -> list[str]:
    names = sorted(base.versions.keys() | tuned.versions.keys())
    return [
        f"{name} {base.versions.get(name, 'none')} and {tuned.versions.get(name, 'none')}"
        for name in names
        if base.versions.get(name) != tuned.versions.get(name)
    ]
