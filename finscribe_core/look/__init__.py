"""The look of pages and plots: one colour for one thing, in reports, plots and the web view."""
