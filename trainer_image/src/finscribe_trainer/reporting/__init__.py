"""What a run tells the outside while it runs and when it ends."""

from finscribe_trainer.reporting.logs import setup_logging
from finscribe_trainer.reporting.reporter import RunReporter
from finscribe_trainer.reporting.termination import write_termination

__all__ = ["RunReporter", "setup_logging", "write_termination"]
