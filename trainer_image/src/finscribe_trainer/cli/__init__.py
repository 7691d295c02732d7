"""The `finscribe` commands of the trainer: options, help texts, exit codes; one file per command."""
