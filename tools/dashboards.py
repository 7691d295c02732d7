"""Builds the Grafana dashboard of the chart: losses and metrics of runs, speed, and the operator."""

import json
from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.builders.common import ReduceDataOptions, VizLegendOptions
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import BigValueTextMode, LegendDisplayMode, LegendPlacement
from grafana_foundation_sdk.models.dashboard import DataSourceRef, VariableRefresh

DATASOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
RUNS = 'namespace=~"$namespace", finetunejob=~"$finetunejob"'
"""Label matchers of the selected jobs; every metric of the trainer has these labels."""
LEGEND = "{{finetunejob}} {{run}}"
WIDTH, HEIGHT = 24, 7


@dataclass(frozen=True)
class Query:
    """A PromQL expression and the legend of its series."""

    expr: str
    legend: str = LEGEND


@dataclass(frozen=True)
class Panel:
    """One panel: a graph, or a stat panel if `text_mode` is set."""

    title: str
    description: str
    queries: tuple[Query, ...]
    unit: str = "short"
    text_mode: BigValueTextMode | None = None
    """What a stat panel shows: the last value, the name of the series, or both."""


ROWS: dict[str, tuple[Panel, ...]] = {
    "Runs": (
        Panel(
            "Phase",
            "Current phase of each run.",
            (Query(f"finscribe_phase{{{RUNS}}} == 1", "{{finetunejob}}: {{phase}}"),),
            text_mode=BigValueTextMode.NAME,
        ),
        Panel(
            "Progress",
            "Optimizer steps done, as a share of those planned.",
            (Query(f"finscribe_train_step{{{RUNS}}} / (finscribe_train_planned_steps{{{RUNS}}} > 0)"),),
            unit="percentunit",
            text_mode=BigValueTextMode.VALUE_AND_NAME,
        ),
        Panel(
            "Time left",
            "Estimated until the result is uploaded, evaluations and comparison included.",
            (Query(f"finscribe_eta_seconds{{{RUNS}}}"),),
            unit="s",
            text_mode=BigValueTextMode.VALUE_AND_NAME,
        ),
        Panel(
            "Best validation loss",
            "The lowest so far; the checkpoint with this loss is kept.",
            (Query(f"finscribe_best_eval_loss{{{RUNS}}}"),),
            text_mode=BigValueTextMode.VALUE_AND_NAME,
        ),
        Panel(
            "Goodput",
            "Share of the pods' time, over all attempts, in which a run took the steps that it keeps.",
            (Query('finscribe_run_goodput_ratio{finetunejob=~"$finetunejob"}'),),
            unit="percentunit",
            text_mode=BigValueTextMode.VALUE_AND_NAME,
        ),
        Panel(
            "Model and method",
            "Base model and fine-tuning method.",
            (Query(f"finscribe_run_info{{{RUNS}}}", "{{finetunejob}}: {{model}} ({{method}})"),),
            text_mode=BigValueTextMode.NAME,
        ),
    ),
    "Training": (
        Panel(
            "Loss",
            "A validation loss that rises while the training loss falls is overfitting.",
            (
                Query(f"finscribe_train_loss{{{RUNS}}}", f"train {LEGEND}"),
                Query(f"finscribe_eval_loss{{{RUNS}}}", f"validation {LEGEND}"),
                Query(f"finscribe_base_eval_loss{{{RUNS}}}", f"validation, base model {LEGEND}"),
            ),
        ),
        Panel(
            "Accuracy on validation documents",
            "Measured by inference at each evaluation during training.",
            tuple(
                Query(f"finscribe_eval_{name}_ratio{{{RUNS}}}", f"{legend} {LEGEND}")
                for name, legend in (
                    ("field_accuracy", "fields"),
                    ("teds_score", "tables (TEDS)"),
                    ("numeric_accuracy", "numbers"),
                    ("validation_pass_rate", "valid documents"),
                )
            ),
            unit="percentunit",
        ),
        Panel(
            "Learning rate",
            "Warm-up, then the schedule.",
            (Query(f"finscribe_learning_rate{{{RUNS}}}"),),
            unit="sci",
        ),
        Panel("Epoch", "Passes over the training set.", (Query(f"finscribe_epoch{{{RUNS}}}"),)),
    ),
    "Speed": (
        Panel(
            "Tokens per second",
            "Prompt, image and answer tokens processed in training.",
            (Query(f"rate(finscribe_tokens_total{{{RUNS}}}[$__rate_interval])"),),
        ),
        Panel(
            "Rows per second",
            "Rows of the dataset processed in training.",
            (Query(f"rate(finscribe_samples_total{{{RUNS}}}[$__rate_interval])"),),
        ),
        Panel(
            "Duration of a step (95 %)",
            "Seconds between two optimizer steps.",
            (
                Query(
                    "histogram_quantile(0.95, sum by (le, finetunejob, run) "
                    f"(rate(finscribe_step_duration_seconds_bucket{{{RUNS}}}[$__rate_interval])))"
                ),
            ),
            unit="s",
        ),
        Panel(
            "Object storage",
            "Bytes per second downloaded from and uploaded to the bucket.",
            (
                Query(
                    f"rate(finscribe_storage_transferred_bytes_total{{{RUNS}}}[$__rate_interval])",
                    "{{direction}} " + LEGEND,
                ),
            ),
            unit="Bps",
        ),
        Panel(
            "GPU memory",
            "Allocated to tensors; CUDA itself needs additional memory.",
            (Query(f"finscribe_gpu_memory_allocated_bytes{{{RUNS}}}", "GPU {{device}} " + LEGEND),),
            unit="bytes",
        ),
    ),
    "Operator": (
        Panel(
            "Jobs by state",
            "FineTuneJobs of all namespaces that the operator watches.",
            (Query("sum by (state) (finscribe_finetunejobs)", "{{state}}"),),
        ),
        Panel(
            "Runs started and finished per hour",
            "Finished runs by their outcome, failed ones by their reason.",
            (
                Query("sum(increase(finscribe_runs_started_total[1h]))", "started"),
                Query(
                    "sum by (outcome, reason) (increase(finscribe_runs_finished_total[1h]))",
                    "{{outcome}} {{reason}}",
                ),
            ),
        ),
        Panel(
            "Reconciliations per second",
            "By result; errors are in the operator's log.",
            (
                Query(
                    "sum by (result) (rate(finscribe_operator_reconcile_total[$__rate_interval]))",
                    "{{result}}",
                ),
            ),
        ),
        Panel(
            "Duration of a reconciliation (95 %)",
            "Requests to the API server included.",
            (
                Query(
                    "histogram_quantile(0.95, sum by (le) "
                    "(rate(finscribe_operator_reconcile_duration_seconds_bucket[$__rate_interval])))",
                    "95 %",
                ),
            ),
            unit="s",
        ),
        Panel(
            "Replica that works",
            "The pod that holds the Lease; it changes when another one takes over.",
            (Query("finscribe_operator_leader", "{{pod}}"),),
        ),
        Panel(
            "Jobs waiting to be reconciled",
            "If it keeps growing, the operator is overloaded.",
            (Query("sum(finscribe_operator_queue_depth)", "waiting"),),
        ),
    ),
}


def dashboard_text() -> str:
    """The dashboard as JSON that Grafana imports."""
    board = (
        dashboard.Dashboard("FinScribe")
        .uid("finscribe")
        .description("Fine-tuning runs and the operator that starts them.")
        .tags(["finscribe", "fine-tuning"])
        .time("now-6h", "now")
        .refresh("30s")
        .timezone("browser")
        .readonly()
        .with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(_variable("namespace", "Namespace", "label_values(finscribe_run_info, namespace)"))
        .with_variable(
            _variable(
                "finetunejob",
                "FineTuneJob",
                'label_values(finscribe_run_info{namespace=~"$namespace"}, finetunejob)',
            )
        )
    )
    for title, panels in ROWS.items():
        board.with_row(dashboard.Row(title))
        for panel in panels:
            board.with_panel(_build_panel(panel, span=WIDTH // _columns(panels)))
    return json.dumps(json.loads(JSONEncoder(sort_keys=True).encode(board.build())), indent=2) + "\n"


def _columns(panels: tuple[Panel, ...]) -> int:
    """Panels per line: all of up to four, otherwise half of them."""
    return len(panels) if len(panels) <= 4 else (len(panels) + 1) // 2


def _variable(name: str, label: str, query: str) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(DATASOURCE)
        .query(query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(True)
        .include_all(True)
        .all_value(".*")
    )


def _build_panel(panel: Panel, span: int) -> stat.Panel | timeseries.Panel:
    built: stat.Panel | timeseries.Panel
    if panel.text_mode:
        last = ReduceDataOptions().calcs(["lastNotNull"])
        built = stat.Panel().text_mode(panel.text_mode).reduce_options(last)
    else:
        legend = VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
        built = timeseries.Panel().legend(legend.show_legend(True)).min(0)
    built.title(panel.title).description(panel.description).unit(panel.unit)
    built.datasource(DATASOURCE).span(span).height(HEIGHT)
    for index, query in enumerate(panel.queries):
        target = prometheus.Dataquery().expr(query.expr).legend_format(query.legend)
        built.with_target(target.ref_id(chr(ord("A") + index)))
    return built
