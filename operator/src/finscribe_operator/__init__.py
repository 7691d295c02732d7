"""The Kubernetes operator: creates a Job for each FineTuneJob and reports its progress in the status."""
