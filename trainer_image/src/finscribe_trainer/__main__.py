"""`python -m finscribe_trainer train ...`: what the trainer image runs."""

from finscribe_core.cli import main

main()
