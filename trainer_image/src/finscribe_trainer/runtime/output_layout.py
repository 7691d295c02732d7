"""Names of the folders and files that a run writes, on disk and in the bucket."""

import re

from finscribe_core.constants import ADAPTER_PREFIX, EVALUATION_PREFIX, MERGED_PREFIX

ADAPTER_DIR = "final_model"
MERGED_DIR = "merged_model"
EVALUATION_DIR = "evaluation"
LOGS_DIR = "logs"
WANDB_DIR = "runs"
METRICS_FILE = "metrics.json"
CONFIG_FILE = "config.yaml"
RESULT_NAMES = (METRICS_FILE, ADAPTER_DIR, MERGED_DIR, EVALUATION_DIR)
"""What a run's end writes, all together; metrics.json is removed first and written last."""
PUBLISHED_DIRS = {
    ADAPTER_DIR: ADAPTER_PREFIX,
    MERGED_DIR: MERGED_PREFIX,
    EVALUATION_DIR: EVALUATION_PREFIX,
    LOGS_DIR: "logs",
}
"""Folders of a result: name on disk, and name in the bucket."""
RUN_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
"""What a run may be called: a name from a file of the bucket becomes a part of a URI."""
