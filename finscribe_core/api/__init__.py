"""The FineTuneJob API: the single source of CRD, chart, reference and both sides' types."""
