"""Summarizes a comparison in one sentence, and lists caveats for its interpretation."""

from finscribe_core.trainer_config import DocumentMetric
from finscribe_trainer.evaluation.compare import MIN_DOCUMENTS, PRIMARY_METRIC, SIGNIFICANCE_LEVEL, Comparison
from finscribe_trainer.evaluation.report.labels import p_value, percent
from finscribe_trainer.evaluation.results import Results

_LOW_PARSE_RATE = 0.9
"""Parse rate below which the metrics mostly show whether a model writes JSON at all."""


def summary_sentence(comparison: Comparison) -> str:
    """The primary metric of both models, and whether the difference is significant.

    "Field accuracy: 83 % with the tuned model, 2 % with the base model. The difference is significant
    (p < 0.001, 200 documents)."
    """
    pair = next((pair for pair in comparison.metrics if pair.name == PRIMARY_METRIC), None)
    if pair is None:
        return "No document has a field, so the models can't be compared."
    tuned, base = _percentages(pair.tuned.value, pair.base.value)
    documents = pair.difference.documents
    counted = f"{documents} document{'' if documents == 1 else 's'}"
    metric = f"Field accuracy: {tuned} % with the tuned model, {base} % with the base model."
    if documents < MIN_DOCUMENTS:
        return f"{metric} {counted} {'is' if documents == 1 else 'are'} too few for a significance test."
    if pair.change == 0:
        return f"{metric} There is no difference ({counted})."
    test = f"({p_value(pair.difference.p_value)}, {counted})"
    if pair.difference.p_value < SIGNIFICANCE_LEVEL:
        return f"{metric} The difference is significant {test}."
    return f"{metric} The difference is not significant {test}: it may be random variation."


def _percentages(tuned: float, base: float) -> tuple[str, str]:
    """Rounded to integers; to one decimal where that would hide a difference, or show 0 or 100 wrongly."""
    texts = [f"{100 * value:.0f}" for value in (tuned, base)]
    exact = {"0": 0.0, "100": 1.0}
    hidden = texts[0] == texts[1] and tuned != base
    rounded = any(exact.get(text, value) != value for text, value in zip(texts, (tuned, base), strict=True))
    if hidden or rounded:
        return f"{100 * tuned:.1f}", f"{100 * base:.1f}"
    return texts[0], texts[1]


def caveats(comparison: Comparison) -> list[str]:
    """Facts that affect the interpretation of the metrics, as sentences."""
    found = []
    for who, results in (("base", comparison.base), ("tuned", comparison.tuned)):
        parsed = results.summary.metrics.get(DocumentMetric.parse_rate)
        if parsed is not None and parsed.value < _LOW_PARSE_RATE:
            found.append(
                f"Only {percent(parsed.value)} of the {who} model's answers are strict JSON: its metrics "
                "reflect the output format as much as the extracted values."
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
        found.append(f"The models were evaluated with different versions: {', '.join(changed)}.")
    return found


def _changed_versions(base: Results, tuned: Results) -> list[str]:
    names = sorted(base.versions.keys() | tuned.versions.keys())
    return [
        f"{name} {base.versions.get(name, 'none')} and {tuned.versions.get(name, 'none')}"
        for name in names
        if base.versions.get(name) != tuned.versions.get(name)
    ]
