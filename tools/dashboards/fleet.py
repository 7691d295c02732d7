"""The dashboard Fleet: all jobs, and the operator that runs them."""

from grafana_foundation_sdk.models.common import BigValueTextMode

from tools.dashboards.panels import JOB_LEGEND, JOBS, Board, Panel, Query, Variable

FLEET = Board(
    "finscribe-fleet",
    "FinScribe / Fleet",
    "All FineTuneJobs: their states, failures, cost and results, and the operator that runs them.",
    (Variable("namespace", "Namespace", "label_values(finscribe_run_attempts, namespace)"),),
    {
        "Jobs": (
            Panel(
                "Jobs by state",
                "FineTuneJobs of all namespaces that the operator watches.",
                (Query("sum by (state) (finscribe_finetunejobs)", "{{state}}"),),
            ),
            Panel(
                "Queue: what runs wait for",
                "Reasons of the condition Running; docs/troubleshooting.md explains each.",
                (Query("sum by (reason) (finscribe_finetunejobs_waiting)", "{{reason}}"),),
            ),
            Panel(
                "Time to start",
                "From the start of a run's Job to its trainer: a free node, the pull of the image, volumes.",
                tuple(
                    Query(
                        f"histogram_quantile({quantile}, sum by (le) "
                        "(increase(finscribe_run_start_duration_seconds_bucket[$__range])))",
                        legend,
                    )
                    for quantile, legend in ((0.5, "half of the runs"), (0.95, "95 %"))
                ),
                unit="s",
            ),
            Panel(
                "Runs started per hour",
                "By what asked for them.",
                (Query("sum by (cause) (increase(finscribe_runs_started_total[1h]))", "{{cause}}"),),
            ),
            Panel(
                "Runs ended per hour",
                "By outcome.",
                (Query("sum by (outcome) (increase(finscribe_runs_finished_total[1h]))", "{{outcome}}"),),
            ),
            Panel(
                "Failures by reason",
                "Runs that failed in the selected time; docs/troubleshooting.md says what to do.",
                (
                    Query(
                        "sum by (reason) "
                        '(increase(finscribe_runs_finished_total{outcome="Failed"}[$__range])) > 0',
                        "{{reason}}",
                    ),
                ),
                text_mode=BigValueTextMode.VALUE_AND_NAME,
            ),
        ),
        "Cost": (
            Panel(
                "GPU hours by namespace",
                "GPUs x time of the pods, in all attempts, of the runs in the selected time.",
                (
                    Query(
                        f"sum by (namespace) (last_over_time(finscribe_run_gpu_seconds{{{JOBS}}}[$__range]))"
                        " / 3600",
                        "{{namespace}}",
                    ),
                ),
                unit="h",
                text_mode=BigValueTextMode.VALUE_AND_NAME,
            ),
            Panel(
                "GPU hours by phase",
                "Of the trainers; Other is the time in which none reports: the pull of the image, the end.",
                (
                    Query(
                        f"sum by (phase) (last_over_time(finscribe_run_gpu_seconds{{{JOBS}}}[$__range]))"
                        " / 3600",
                        "{{phase}}",
                    ),
                ),
                unit="h",
                text_mode=BigValueTextMode.VALUE_AND_NAME,
            ),
            Panel(
                "GPU hours of the 20 most expensive jobs",
                "Of the current or last run of each job.",
                (
                    Query(
                        "topk(20, sum by (namespace, finetunejob) "
                        f"(finscribe_run_gpu_seconds{{{JOBS}}})) / 3600",
                        JOB_LEGEND,
                    ),
                ),
                unit="h",
                of_jobs=True,
            ),
        ),
        "Retries and results": (
            Panel(
                "Retries",
                "Attempts of the current or last run of a job beyond the first: after failures, evictions, "
                "suspensions.",
                (
                    Query(
                        "topk(20, max by (namespace, finetunejob) "
                        f"(finscribe_run_attempts{{{JOBS}}}) - 1 > 0)",
                        JOB_LEGEND,
                    ),
                ),
                of_jobs=True,
            ),
            Panel(
                "Goodput",
                "Share of the pods' time, over all attempts, in which a run took the steps that it keeps. "
                "The 20 lowest.",
                (
                    Query(
                        "bottomk(20, max by (namespace, finetunejob) "
                        f"(finscribe_run_goodput_ratio{{{JOBS}}}))",
                        JOB_LEGEND,
                    ),
                ),
                unit="percentunit",
                of_jobs=True,
            ),
            Panel(
                "Gate results",
                "Of the last run of each job that has a gate.",
                (
                    Query(f"count(finscribe_run_gate_passed{{{JOBS}}} == 1) or vector(0)", "passed"),
                    Query(f"count(finscribe_run_gate_passed{{{JOBS}}} == 0) or vector(0)", "not passed"),
                ),
                text_mode=BigValueTextMode.VALUE_AND_NAME,
            ),
        ),
        "Operator": (
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
    },
)
