"""Lists model, documents, settings, time and versions of both results, for the end of a report."""

from finscribe_trainer.evaluation.results import Results


def provenance(base: Results, tuned: Results) -> list[tuple[str, str, str]]:
    """(name, base, tuned) of each property that at least one result has."""
    left, right = _provenance(base), _provenance(tuned)
    return [
        (what, left.get(what, ""), right.get(what, ""))
        for what in dict.fromkeys((*left, *right))
        if left.get(what) or right.get(what)
    ]


def _provenance(results: Results) -> dict[str, str]:
    model, data, settings, timing = results.model, results.data, results.settings, results.timing
    return {
        "Model": model.name,
        "Adapter on": model.base or "",
        "Revision": model.revision or "",
        "Documents": f"{data.documents} of {data.rows} from {data.source}",
        "Rows and images (sha256)": data.sha256,
        "Decoding": f"{settings.decoding}, at most {settings.max_new_tokens} tokens, {settings.dtype}",
        "Time": f"{timing.seconds:.1f} s on {timing.device}, batch size {timing.batch_size}",
        "Versions": ", ".join(f"{name} {version}" for name, version in sorted(results.versions.items())),
    }
