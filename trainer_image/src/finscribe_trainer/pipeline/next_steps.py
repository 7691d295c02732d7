"""What `finscribe train` prints at its end: where the results are, and which command comes next."""

from finscribe_core.report import RunResult


def next_steps(result: RunResult, base_model: str) -> str:
    """The results' locations and commands that use them, as lines of text.

    Args:
        result: of a training that has succeeded.
        base_model: name of the base model, for the command that merges.
    """
    outputs = result.outputs
    rows = [("adapter", outputs.adapter), ("merged model", outputs.merged)]
    if outputs.evaluation:
        rows.append(("report", f"{outputs.evaluation}/report.html"))
    rows.append(("score it", f"finscribe evaluate --test-dir FOLDER --model-path {outputs.adapter}"))
    if not outputs.merged:
        merge = f"finscribe merge --base-model {base_model} --adapter-path {outputs.adapter}"
        rows.append(("merge it", f"{merge} --output-dir merged_model"))
    return "\n".join([result.message, *(f"  {what:13} {where}" for what, where in rows if where)])
