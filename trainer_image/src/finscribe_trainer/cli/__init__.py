"""The trainer's `finscribe` commands: options, help texts and exit codes, one file per command."""
