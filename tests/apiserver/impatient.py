"""An operator for which the status of a job is lost when the job is two seconds old and has none."""

import finscribe_operator.decide
from finscribe_operator.__main__ import main

SECONDS = 2

if __name__ == "__main__":
    finscribe_operator.decide.LOST_STATUS_SECONDS = SECONDS
    main()
