"""Defines the names, paths, environment variables and exit codes that operator and trainer share."""

GROUP = "finscribe.io"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "FineTuneJob"
PLURAL = "finetunejobs"
FIELD_MANAGER = "finscribe-operator"

LABEL_JOB = f"{GROUP}/finetunejob"
"""Label of every child: the name of its FineTuneJob."""
LABEL_RUN = f"{GROUP}/run"
"""Label of every child: the name of its run."""
LABEL_EXPERIMENT_OF = f"{GROUP}/experiment-of"
"""Label of an experiment's FineTuneJob: the name of the FineTuneJob whose spec it varies."""
LABEL_EXPERIMENT = f"{GROUP}/experiment"
"""Label of an experiment's FineTuneJob: the experiment's name."""
LABEL_TASK = f"{GROUP}/task"
"""Label of a Job that trains nothing, and of its pods: what it does."""
TASK_LOOKUP = "lookup"
"""Looks in the bucket for the result of a run."""
TASK_DATA_CHECK = "data-check"
"""Checks whether the training data have changed."""
LABEL_RESTORED = "velero.io/restore-name"
"""Label that Velero sets on objects that it has restored from a backup, without their status by default."""
LABEL_QUEUE = "kueue.x-k8s.io/queue-name"
"""Kueue's label of a Job: the LocalQueue that decides when it starts. Kueue then sets the Job's `suspend`."""
LABEL_QUEUE_PRIORITY = "kueue.x-k8s.io/priority-class"
"""Kueue's label of a Job: its WorkloadPriorityClass."""
ANNOTATION_SUSPENDED = f"{GROUP}/suspended"
"""Annotation of a Job, or of its Workload in a queue, that is suspended because of `spec.suspend`, and not by
another controller."""
ANNOTATION_ATTEMPT = f"{GROUP}/attempt"
"""Annotation of a Job: the hash of the settings of its pod."""
ANNOTATION_GPUS = f"{GROUP}/gpus"
"""Annotation of a Job: the number of GPUs of its pods together."""
ANNOTATION_RETRY = f"{GROUP}/retry"
"""Annotation of a FineTuneJob: a token; when it changes, a failed run continues from its last checkpoint."""
ANNOTATION_PLAN = f"{GROUP}/plan"
"""Annotation of a FineTuneJob: its plan in short, from `finscribe submit --plan`."""
ANNOTATION_OCCASION = f"{GROUP}/occasion"
"""Annotation of a Job: the time of the schedule, or fingerprint of the data, for which its run started."""
LABEL_CAUSE = f"{GROUP}/cause"
"""Label of a run's Job and pods: why the run was started."""
ANNOTATION_START_DEADLINE = f"{GROUP}/start-deadline"
"""Annotation of a Job that is ended because its pod did not start in time: what the pod waited for."""
ANNOTATION_GAVE_UP = f"{GROUP}/gave-up"
"""Annotation of a Job that is ended because its container has failed in one pod too often: the reason of the
last failure, a space, and what happened."""
LABEL_NODE_RANK = "batch.kubernetes.io/job-completion-index"
"""Label and annotation that Kubernetes sets on the pods of a run with several nodes: the pod's number."""
LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
LABEL_COMPONENT = "app.kubernetes.io/component"
MANAGED_BY = FIELD_MANAGER

CONTAINER_NAME = "trainer"
CONFIG_DIR = "/etc/finscribe"
CONFIG_FILE = "config.yaml"
WORK_DIR = "/workspace"
"""Mount path of the pod's scratch volume, which holds datasets, model, checkpoints and exports."""
FEATURE_CACHE_DIR = "/features"
"""Mount path of the volume with a feature cache that several runs share."""
DOWNLOAD_CACHE_DIR = "/cache"
"""Mount path of the volume with downloads that several runs share."""
CA_DIR = "/etc/finscribe-ca"
"""Mount path of the certificates of `storage.caBundle`."""
CA_FILE = "ca.crt"
MODEL_VOLUME = "base-model"
OPERATOR_VOLUMES = ("config", "work", "tmp", "shm", "features", "downloads", MODEL_VOLUME, "ca-bundle")
"""Names of the volumes that the operator itself gives a pod."""
MODEL_DIR = "/model"
"""Mount path of the image of an oci:// model."""
OCI_SCHEME = "oci://"
TERMINATION_LOG = "/dev/termination-log"
TERMINATION_LOG_LIMIT = 4096
"""Bytes the kubelet keeps of a termination message."""
HTTP_PORT = 8080
HTTP_PORT_NAME = "http"

ENV_JOB = "FINSCRIBE_JOB"
ENV_NAMESPACE = "FINSCRIBE_NAMESPACE"
ENV_RUN = "FINSCRIBE_RUN"
ENV_CAUSE = "FINSCRIBE_CAUSE"
"""Why the run was started, for its metrics."""
ENV_TRAINING_HASH = "FINSCRIBE_TRAINING_HASH"
"""Hash of the settings that determine what is learned: the same for the same training of any job."""
ENV_HTTP_PORT = "FINSCRIBE_HTTP_PORT"
ENV_TERMINATION_LOG = "FINSCRIBE_TERMINATION_LOG"
ENV_LOG_FORMAT = "FINSCRIBE_LOG_FORMAT"
"""`json` (one object per line) or `text`; unset: text in a terminal, JSON elsewhere."""
ENV_CA_BUNDLE = "FINSCRIBE_CA_BUNDLE"
"""File of certificates in PEM format that are trusted in addition to the public ones."""
ENV_IMAGE_MOUNTS = "FINSCRIBE_IMAGE_MOUNTS"
"""Paths at which images of `pod.volumes` are mounted, separated by ':'."""
ENV_PDF_PASSWORD = "FINSCRIBE_PDF_PASSWORD"  # noqa: S105 - the name of a variable
"""The password of encrypted PDFs that are imported."""
ENV_ANONYMIZE_KEY = "FINSCRIBE_ANONYMIZE_KEY"
"""Secret key of `finscribe data anonymize`: the same key maps a name to the same pseudonym in every run."""

# The variables by which torchrun is configured, too, for several machines.
ENV_NODES = "PET_NNODES"
ENV_NODE_RANK = "PET_NODE_RANK"
ENV_PROCESSES_PER_NODE = "PET_NPROC_PER_NODE"
ENV_MASTER_ADDRESS = "PET_MASTER_ADDR"
ENV_MASTER_PORT = "PET_MASTER_PORT"
NODE_VARIABLES = (ENV_NODES, ENV_NODE_RANK, ENV_PROCESSES_PER_NODE, ENV_MASTER_ADDRESS, ENV_MASTER_PORT)
MASTER_PORT = 29500
"""Port of the first machine at which the others join it."""

# Keys of a credentials Secret: environment variables that boto3 itself reads.
SECRET_KEYS_REQUIRED = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
SECRET_KEYS_OPTIONAL = ("AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_REGION")
# Keys of a Weights & Biases Secret: environment variables that its package itself reads.
WANDB_KEYS_REQUIRED = ("WANDB_API_KEY",)
WANDB_KEYS_OPTIONAL = ("WANDB_PROJECT", "WANDB_ENTITY", "WANDB_BASE_URL")
# Names of a bundle of certificates that libraries read: botocore; requests; Python, httpx and programs in Go.
CA_VARIABLES = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
ENV_PREFIX = "FINSCRIBE_"
OPERATOR_VARIABLES = (
    *("HOME", "HF_HOME", "TMPDIR", "OMP_NUM_THREADS"),
    *SECRET_KEYS_REQUIRED,
    *SECRET_KEYS_OPTIONAL,
    *WANDB_KEYS_REQUIRED,
    *WANDB_KEYS_OPTIONAL,
    *CA_VARIABLES,
    *NODE_VARIABLES,
)
"""Environment variables that operator and trainer set themselves, besides those with ENV_PREFIX."""

# Key of a Secret with an access token of the Hugging Face Hub: the variable that its package itself reads.
HUB_KEYS_REQUIRED = ("HF_TOKEN",)

BUILT_IN_MODEL = "finscribe/tiny-ocr-vl"
"""Name of the small model in the trainer's package: found without network, token or cache."""

# Names below `output.uri`.
RUNS_PREFIX = "runs"
CHECKPOINTS_PREFIX = "checkpoints"
TRAININGS_PREFIX = "trainings"
"""Of one small file for each training, named after its hash, which names the run that has its result."""
ADAPTER_PREFIX = "adapter"
MERGED_PREFIX = "merged"
EVALUATION_PREFIX = "evaluation"
MANIFEST_FILE = "manifest.json"
LATEST_FILE = "latest.json"

EXIT_DONE = 0
EXIT_PEER_LOST = 69
"""Another machine of the run has ended, and reports the cause (sysexits EX_UNAVAILABLE): a restart of all
machines counts once, by the exit code of that one."""
EXIT_INTERNAL = 70
"""A defect of FinScribe (sysexits EX_SOFTWARE): retried within the backoff limit."""
EXIT_MACHINE_FULL = 71
"""The machine's disk or memory does not suffice (sysexits EX_OSERR): retried, never in the same pod."""
EXIT_RETRY = 75
"""A transient error or an interruption (sysexits EX_TEMPFAIL): retried, resuming from the last checkpoint, in
the same pod where the cluster can."""
EXIT_USER_ERROR = 78
"""A user error (sysexits EX_CONFIG): the job can't succeed as written and is never retried."""
