"""The trainer's `finscribe` commands: options, help texts and exit codes, one file per command."""

from finscribe_trainer.runtime.environment import set_library_variables

set_library_variables()  # before any command imports the libraries that read them
