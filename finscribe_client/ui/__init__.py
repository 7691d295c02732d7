"""The web view: jobs, runs and documents as pages of a local server, read-only unless asked otherwise."""
