"""Reports a run's progress: logs, /progress, Prometheus metrics, watchdog, termination message."""

from finscribe_trainer.reporting.logs import setup_logging
from finscribe_trainer.reporting.reporter import RunReporter
from finscribe_trainer.reporting.termination import write_termination

__all__ = ["RunReporter", "setup_logging", "write_termination"]
