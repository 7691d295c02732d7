"""Names and paths that form the contract between the operator and the trainer."""

GROUP = "finscribe.io"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "FineTuneJob"
PLURAL = "finetunejobs"
FIELD_MANAGER = "finscribe-operator"

LABEL_JOB = f"{GROUP}/finetunejob"
"""On every child: the name of the FineTuneJob it belongs to."""
LABEL_RUN = f"{GROUP}/run"
"""On every child: the run it belongs to."""
LABEL_EXPERIMENT_OF = f"{GROUP}/experiment-of"
"""On the FineTuneJob of an experiment: the name of the job whose spec it varies."""
LABEL_EXPERIMENT = f"{GROUP}/experiment"
"""On the same: the experiment's name."""
LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
LABEL_COMPONENT = "app.kubernetes.io/component"
MANAGED_BY = FIELD_MANAGER

CONTAINER_NAME = "trainer"
CONFIG_DIR = "/etc/finscribe"
CONFIG_FILE = "config.yaml"
WORK_DIR = "/workspace"
"""The pod's scratch volume: datasets, model, checkpoints and exports live below it."""
FEATURE_CACHE_DIR = "/features"
"""Where a volume that runs share their feature cache on is mounted."""
TERMINATION_LOG = "/dev/termination-log"
TERMINATION_LOG_LIMIT = 4096
"""Bytes the kubelet keeps of a termination message."""
HTTP_PORT = 8080
HTTP_PORT_NAME = "http"

ENV_JOB = "FINSCRIBE_JOB"
ENV_NAMESPACE = "FINSCRIBE_NAMESPACE"
ENV_RUN = "FINSCRIBE_RUN"
ENV_HTTP_PORT = "FINSCRIBE_HTTP_PORT"
ENV_TERMINATION_LOG = "FINSCRIBE_TERMINATION_LOG"
ENV_LOG_FORMAT = "FINSCRIBE_LOG_FORMAT"
ENV_ANONYMIZE_KEY = "FINSCRIBE_ANONYMIZE_KEY"
"""`json` (one object a line) or `text`; without it: text in a terminal, JSON elsewhere."""

# What a credentials Secret holds; the names are boto3's own, so the trainer needs no code for them.
SECRET_KEYS_REQUIRED = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
SECRET_KEYS_OPTIONAL = ("AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_REGION")
# Likewise that of Weights & Biases.
WANDB_KEYS_REQUIRED = ("WANDB_API_KEY",)
WANDB_KEYS_OPTIONAL = ("WANDB_PROJECT", "WANDB_ENTITY", "WANDB_BASE_URL")

# Layout below `output.uri`.
RUNS_PREFIX = "runs"
CHECKPOINTS_PREFIX = "checkpoints"
MANIFEST_FILE = "manifest.json"
LATEST_FILE = "latest.json"

EXIT_DONE = 0
EXIT_INTERNAL = 70
"""A defect of ours (sysexits EX_SOFTWARE): retried within the backoff limit."""
EXIT_RETRY = 75
"""The world's fault or an interruption (sysexits EX_TEMPFAIL): retried, resuming from the last checkpoint."""
EXIT_USER_ERROR = 78
"""The job can't succeed as written (sysexits EX_CONFIG): never retried."""
