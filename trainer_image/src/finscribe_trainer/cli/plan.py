"""`finscribe plan`: what a training will do and need, before it is started."""

import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import click

from finscribe_trainer.cli.config_options import config_options
from finscribe_trainer.cli.help_settings import HELP_SETTINGS
from finscribe_trainer.runtime.garbage import imports_excluded


@click.command(
    short_help="Tokens, steps, memory, time and cost of a training.", context_settings=HELP_SETTINGS
)
@config_options()
@click.option(
    "--device",
    type=click.Choice(["gpu", "cpu"]),
    help="What the training is planned for; this machine needs none. Default: gpu, or what a job asks for.",
)
@click.option(
    "--price", type=click.FloatRange(min=0), help="Price of an hour of one device, in any currency."
)
@click.option(
    "--tokens-per-second",
    type=click.FloatRange(min=0, min_open=True),
    help="Speed of the device, from an earlier training's log.",
)
@click.option("--probe", "measure", is_flag=True, help="Train for a minute on this machine to measure it.")
@click.option(
    "--summary",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write the plan in one line to this file.",
)
def plan(
    config_file: Path,
    device: str | None,
    price: float | None,
    tokens_per_second: float | None,
    summary: Path | None,
    *,
    measure: bool,
    **overrides: Any,
) -> None:
    """Say what a training will do and need: rows, tokens, steps, memory by part, time and cost.

    Rows and images are checked as for a training; of the model only config and tokenizer are loaded. The
    memory is that of the largest batches, which are computed with tensors without data. docs/plan.md has
    what is part of it, and how far it was measured. FILE may also be a FineTuneJob: its GPUs and nodes share
    the rows, and the time is what all of them take.

    \b
    Exit codes:  0 done   78 user error: change config or data   75 transient error: run again   70 bug

    \b
    Examples:
      finscribe plan --config finetune_config.yaml
      finscribe plan --config finetune_config.yaml --set lora.r=64 --price 2.5 --tokens-per-second 4000
      finscribe plan --config finetune_config.yaml --device cpu --probe
      finscribe plan --config job.yaml
    """  # noqa: D301 - click reads \b as "keep these lines"
    if measure and tokens_per_second:
        raise click.UsageError("Pass --probe or --tokens-per-second.")
    from finscribe_trainer.cli.session import command_session  # noqa: PLC0415 - `--help` needs no torch

    with command_session("Nothing was planned.") as stop:
        with imports_excluded():
            import torch  # noqa: PLC0415

            from finscribe_trainer.distributed.processes import Processes  # noqa: PLC0415
            from finscribe_trainer.pipeline.config import load_config, load_job  # noqa: PLC0415
            from finscribe_trainer.pipeline.dry_run import model_without_weights  # noqa: PLC0415
            from finscribe_trainer.pipeline.inputs import (  # noqa: PLC0415
                fetch_model,
                load_splits,
                open_storage,
            )
            from finscribe_trainer.planning.plan import Probe, describe, make_plan, summarize  # noqa: PLC0415
            from finscribe_trainer.planning.probe import probe  # noqa: PLC0415
            from finscribe_trainer.planning.throughput import Throughput  # noqa: PLC0415
            from finscribe_trainer.reporting import RunReporter  # noqa: PLC0415
            from finscribe_trainer.training.accumulation import with_known_accumulation  # noqa: PLC0415
            from finscribe_trainer.training.run import Run  # noqa: PLC0415

        found, processes, on_cpu = load_job(config_file, overrides), Processes(), device == "cpu"
        if found is not None:
            resources = found[0].spec.resources
            processes.world_size = resources.num_processes
            on_cpu = resources.gpus == 0 if device is None else on_cpu
        if measure and on_cpu == torch.cuda.is_available():
            raise click.UsageError(
                f"--probe measures this machine, which is no {'CPU' if on_cpu else 'GPU'}."
            )
        config = load_config(config_file, overrides) if found is None else found[1]
        config = with_known_accumulation(config, processes.world_size)
        storage = open_storage(config, stop.cancel_transfers)
        run = Run(config, "", None, RunReporter(run="", job=""), stop, processes=processes)
        with tempfile.TemporaryDirectory(prefix="finscribe-plan-") as folder:
            scratch = Path(folder)
            splits = load_splits(config, scratch, storage)
            speed: Throughput | Probe | None = None
            if tokens_per_second:
                speed = Throughput(tokens_per_second, tokens_per_second, "--tokens-per-second")
            if measure:
                source = fetch_model(config, scratch / "model", storage)
                speed = partial(probe, replace(run, processes=Processes()), source)
            else:
                source = model_without_weights(config, scratch / "model", storage)
            planned = make_plan(run, source, splits, on_cpu=on_cpu, speed=speed)
    click.echo(describe(planned, price))
    if summary:
        summary.write_text(f"{summarize(planned)}\n", encoding="utf-8")
