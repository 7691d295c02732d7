"""`python -m finscribe_trainer train ...`: what the trainer image runs."""

from finscribe_core.cli import main
from finscribe_core.core_dumps import forbid_core_dumps

forbid_core_dumps()
main()
