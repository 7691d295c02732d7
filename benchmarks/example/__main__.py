"""Measures how well the example's model reads unseen receipts, by seed: `python -m benchmarks.example`.

Each training runs `finscribe train` with the settings of examples/finetunejob.yaml on the rows of `finscribe
sample`, and the tuned model answers the test rows. What is in the folder is not measured again.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from statistics import mean
from typing import Any

import yaml

from benchmarks.example.config import METHODS, training_config
from benchmarks.machine import describe_machine
from finscribe_core.constants import BUILT_IN_MODEL

RESULTS = Path(__file__).with_name("RESULTS.md")
SEEDS = 5
METRICS = {"field_accuracy": "Field accuracy", "numeric_accuracy": "Numeric accuracy", "teds_score": "TEDS"}
TESTS = {"test": "unseen vendors and values", "test-template": "unseen template"}

Result = dict[str, Any]
"""Metrics by test set, and step and CPU seconds of the training."""


def main() -> None:
    """Measure what is missing, and print the tables."""
    options = _parser().parse_args()
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    sample = folder / "sample"
    if not (sample / "train.jsonl").exists():
        _finscribe(folder, options.threads, "sample", "--output-dir", str(sample), "--overwrite")
    results: dict[str, list[Result]] = {}
    for method in options.methods:
        for seed in range(options.seeds):
            done = _measure(folder, method, seed, options.threads)
            print(method, "seed", seed, json.dumps(done), flush=True)
            results.setdefault(METHODS[method].title, []).append(done)
    text = "\n".join(
        [*_table(results), "", f"Base model {BUILT_IN_MODEL}. {describe_machine(options.threads)}", ""]
    )
    print(text)
    if options.write:
        RESULTS.write_text(f"# Results of `make bench-example`\n\n{text}", encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make bench-example",
        description="Train the example's job with several seeds, and evaluate each adapter.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--seeds", type=int, default=SEEDS, metavar="N", help="trainings of each method")
    add("--methods", nargs="+", choices=METHODS, default=list(METHODS), help="what to train")
    add("--threads", type=int, default=1, metavar="N", help="threads of PyTorch")
    add("--folder", type=Path, default=Path("bench-example"), help="sample, trainings and results so far")
    add("--write", action="store_true", help="also write RESULTS.md")
    return parser


def _measure(folder: Path, method: str, seed: int, threads: int) -> Result:
    """Train and evaluate, unless the folder has the result."""
    work = folder / f"{method}-{seed}"
    file = work / "result.json"
    if file.exists():
        known: Result = json.loads(file.read_text(encoding="utf-8"))
        return known
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    run = work / "run"
    config = training_config(METHODS[method], seed, folder / "sample", run)
    (work / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    cpu = getrusage(RUSAGE_CHILDREN).ru_utime
    _finscribe(work, threads, "train", "--config", str(work / "config.yaml"))
    cpu = getrusage(RUSAGE_CHILDREN).ru_utime - cpu
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    result: Result = {
        "steps": metrics["steps"],
        "early_stopping": metrics["stopped_early"],
        "cpu_seconds": round(cpu),
    }
    for test in TESTS:
        output = work / f"{test}.json"
        _finscribe(work, threads, "evaluate", "--test-dir", str(folder / "sample" / f"{test}.jsonl"),
                   "--model-path", str(run / "final_model"), "--output", str(output))  # fmt: skip
        found = json.loads(output.read_text(encoding="utf-8"))["summary"]["metrics"]
        result[test] = {name: found[name]["value"] for name in METRICS}
    file.write_text(json.dumps(result), encoding="utf-8")
    return result


def _finscribe(folder: Path, threads: int, *arguments: str) -> None:
    """Run a command; ends this process with what it has printed if it fails."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    with (folder / "log.txt").open("ab") as log:
        code = subprocess.run(
            [sys.executable, "-m", "finscribe_core.cli", *arguments],
            stdout=log,
            stderr=log,
            env=environment,
            check=False,
        ).returncode
    if code:
        sys.exit(f"finscribe {arguments[0]} ended with exit code {code}. See {folder / 'log.txt'}.")


def _table(results: dict[str, list[Result]]) -> Iterator[str]:
    yield "| Training | Seeds | Test documents | " + " | ".join(METRICS.values()) + " | Steps | CPU seconds |"
    yield "|---|---:|---|" + "---:|" * (len(METRICS) + 2)
    for title, found in results.items():
        for test, description in TESTS.items():
            figures = [_percent([result[test][name] for result in found]) for name in METRICS]
            steps = _range([result["steps"] for result in found])
            seconds = _range([result["cpu_seconds"] for result in found])
            yield f"| {title} | {len(found)} | {description} | {' | '.join(figures)} | {steps} | {seconds} |"


def _percent(values: Sequence[float]) -> str:
    """Mean, lowest and highest."""
    mean_, low, high = (100 * value for value in (mean(values), min(values), max(values)))
    return f"{mean_:.1f} % ({low:.1f} to {high:.1f})"


def _range(values: Sequence[float]) -> str:
    low, high = min(values), max(values)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


if __name__ == "__main__":
    main()
