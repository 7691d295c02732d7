"""The dashboard Run: one training, or several side by side."""

from grafana_foundation_sdk.models.common import BigValueTextMode

from tools.dashboards.panels import LEGEND, RUNS, Board, Panel, Query, Variable

RUN = Board(
    "finscribe-run",
    "FinScribe / Run",
    "Trainings: losses, metrics, speed, and what they use.",
    (
        Variable("namespace", "Namespace", "label_values(finscribe_run_info, namespace)"),
        Variable(
            "finetunejob",
            "FineTuneJob",
            'label_values(finscribe_run_info{namespace=~"$namespace"}, finetunejob)',
        ),
        Variable(
            "run",
            "Run",
            'label_values(finscribe_run_info{namespace=~"$namespace", finetunejob=~"$finetunejob"}, run)',
        ),
    ),
    {
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
                "Restarts",
                "Attempts beyond the first; each resumes from the last checkpoint.",
                (Query(f"finscribe_run_attempts{{{RUNS}}} - 1"),),
                text_mode=BigValueTextMode.VALUE_AND_NAME,
            ),
            Panel(
                "Goodput",
                "Share of the pods' time, over all attempts, in which a run took the steps that it keeps.",
                (Query(f"finscribe_run_goodput_ratio{{{RUNS}}}"),),
                unit="percentunit",
                text_mode=BigValueTextMode.VALUE_AND_NAME,
            ),
            Panel(
                "GPU time",
                "GPU seconds of all attempts, by the phase of the trainer.",
                (Query(f"finscribe_run_gpu_seconds{{{RUNS}}}", "{{phase}}: " + LEGEND),),
                unit="s",
                text_mode=BigValueTextMode.VALUE_AND_NAME,
            ),
            Panel(
                "Model and method",
                "Base model and fine-tuning method.",
                (Query(f"finscribe_run_info{{{RUNS}}}", "{{finetunejob}}: {{model}} ({{method}})"),),
                text_mode=BigValueTextMode.NAME,
            ),
        ),
        "Learning": (
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
                "Base against tuned",
                "The comparison after the training, on the same documents.",
                (
                    Query(
                        f"finscribe_run_evaluation_ratio{{{RUNS}}}",
                        "{{metric}}, {{model}} " + LEGEND,
                    ),
                ),
                unit="percentunit",
            ),
            Panel(
                "Early stopping",
                "Evaluations in a row without improvement; the training ends at earlyStopping.patience.",
                (Query(f"finscribe_evaluations_without_improvement{{{RUNS}}}"),),
            ),
            Panel(
                "Learning rate",
                "Warm-up, then the schedule.",
                (Query(f"finscribe_learning_rate{{{RUNS}}}"),),
                unit="sci",
            ),
            Panel(
                "Gradient norm",
                "Before it is clipped. If it keeps rising, the learning rate is too high.",
                (Query(f"finscribe_grad_norm{{{RUNS}}}"),),
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
                "Feature cache",
                "Share of the pages whose features were found in the cache (training.featureCache).",
                (
                    Query(
                        f"finscribe_feature_cache_hits_total{{{RUNS}}} / "
                        f"(finscribe_feature_cache_hits_total{{{RUNS}}} + "
                        f"finscribe_feature_cache_misses_total{{{RUNS}}} > 0)"
                    ),
                ),
                unit="percentunit",
            ),
        ),
        "Resources": (
            Panel(
                "GPU memory",
                "Allocated to tensors; CUDA itself needs additional memory.",
                (Query(f"finscribe_gpu_memory_allocated_bytes{{{RUNS}}}", "GPU {{device}} " + LEGEND),),
                unit="bytes",
            ),
            Panel(
                "GPU utilisation",
                "Needs NVIDIA's DCGM exporter, which names the pod of each GPU.",
                (
                    Query(
                        'DCGM_FI_DEV_GPU_UTIL{exported_pod=~"($run)-.*"} or '
                        'DCGM_FI_DEV_GPU_UTIL{pod=~"($run)-.*"}',
                        "GPU {{gpu}} {{exported_pod}}",
                    ),
                ),
                unit="percent",
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
                "Storage requests that were retried",
                "In the last five minutes.",
                (Query(f"increase(finscribe_storage_requests_retried_total{{{RUNS}}}[5m])"),),
            ),
        ),
    },
)
