"""The operator: turns FineTuneJobs into runs, and what happens to the runs into status."""
