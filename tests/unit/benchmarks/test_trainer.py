"""`make bench-trainer`: its tables, and that FinScribe and the plain Trainer learn the same."""

import json
from pathlib import Path

import pytest

from benchmarks.trainer.candidates import CANDIDATES, OURS, PLAIN, adapter_of
from benchmarks.trainer.environments import pinned_versions
from benchmarks.trainer.evaluate import evaluate
from benchmarks.trainer.facts import read_facts
from benchmarks.trainer.measure import Run, Seconds
from benchmarks.trainer.prepare import prepare
from benchmarks.trainer.programs import ours, plain
from benchmarks.trainer.settings import Settings
from benchmarks.trainer.table import loss_table, ratio_table, time_table


def run(*epochs: float, peak: int = 2**30, losses: tuple[float, ...] = (2.0, 1.0)) -> Run:
    """A run with equal wall and CPU time, in which starting and saving take 10 seconds."""
    whole = sum(epochs) + 10
    return Run(
        Seconds(whole, whole), [Seconds(each, each) for each in epochs], peak, list(losses), losses[-1]
    )


RUNS = {
    OURS: [run(10, 2, 4), run(20, 5, 5)],
    PLAIN: [run(15, 9, 9, peak=3 * 2**30), run(20, 20, 20, peak=3 * 2**30, losses=(2.0, 1.25))],
}


def test_a_ratio_compares_runs_of_one_round_and_later_epochs_are_averaged():
    [_, _, line] = ratio_table(RUNS, "cpu")
    assert [cell.strip() for cell in line.strip("|").split("|")] == [
        PLAIN,
        "1.25 x (1.00 x - 1.50 x)",
        "3.50 x (3.00 x - 4.00 x)",
        "2.03 x (2.00 x - 2.06 x)",
        "1.70 x (1.65 x - 1.75 x)",
    ]


def test_times_are_medians_with_their_range_and_rates_count_the_rows_tokens():
    line = time_table(RUNS, "wall", tokens=100)[2]
    assert line.startswith(f"| {OURS} | 15.0 s (10.0 s - 20.0 s) | 4.0 s (3.0 s - 5.0 s) | 23.0 s")
    assert line.endswith("| 8 (5 - 10) | 27 (20 - 33) |")


def test_memory_is_compared_with_finscribe_and_losses_with_the_plain_trainer():
    mine, theirs = loss_table(RUNS)[2:]
    assert mine == f"| {OURS} | 1.00 GiB |  | 1.0000 | 0.2500 |"
    assert theirs == f"| {PLAIN} | 3.00 GiB | 3.00 x | 1.1250 (1.0000 - 1.2500) | 0.0000 |"


@pytest.mark.parametrize(
    "candidate", [each for each in CANDIDATES if each.peer], ids=lambda candidate: candidate.name
)
def test_every_peer_has_exact_versions(candidate):
    assert candidate.peer is not None
    versions = pinned_versions(candidate.peer)
    assert all(versions.values())
    assert set(candidate.packages) <= set(versions)


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> Settings:
    folder = tmp_path_factory.mktemp("bench")
    settings = Settings(
        folder=folder,
        model=str(folder / "model"),
        num_rows=2,
        num_epochs=2,
        batch_size=1,
        learning_rate=2e-3,
        bf16=False,
        num_workers=0,
        gradient_checkpointing=True,
    )
    prepare(settings, "tiny", "")
    return settings


def recorded(folder: Path) -> dict[str, list[float]]:
    steps: dict[str, list[float]] = json.loads((folder / "steps.json").read_text())
    return steps


@pytest.mark.train
def test_finscribe_and_the_plain_trainer_reach_the_same_losses(settings, tmp_path, monkeypatch):
    monkeypatch.setattr("signal.signal", lambda *_: None)  # pytest keeps its own Ctrl+C
    facts = read_facts(settings.folder)
    assert facts.vision_parameters < facts.parameters
    assert facts.answer_tokens < facts.tokens
    mine, theirs = tmp_path / "ours", tmp_path / "plain"
    for folder in (mine, theirs):
        folder.mkdir()
    with pytest.raises(SystemExit) as ended:
        ours.main(settings, mine)
    assert ended.value.code == 0
    plain.main(settings, theirs)
    assert len(recorded(mine)["times"]) == len(recorded(theirs)["times"]) == 1 + settings.num_steps
    assert recorded(mine)["losses"] == pytest.approx(recorded(theirs)["losses"], abs=1e-3)
    adapters = [
        adapter_of(candidate, settings, folder)
        for candidate, folder in zip(CANDIDATES, (mine, theirs), strict=False)
    ]
    losses = [evaluate(settings, adapter) for adapter in (settings.initial_adapter, *adapters)]
    assert losses[1] == pytest.approx(losses[2], abs=1e-4)
    assert losses[0] != pytest.approx(losses[1], abs=1e-3)
