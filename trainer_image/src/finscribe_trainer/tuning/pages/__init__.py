"""The HTML pages of experiments and sweeps, in the look of all reports."""
