"""FineTuneJobs on a cluster: `Client` for Python, and commands of `finscribe` for the terminal."""

from finscribe_client.client import Client
from finscribe_client.errors import ClientError, ClientReason
from finscribe_client.jobs import Job

__all__ = ["Client", "ClientError", "ClientReason", "Job"]
