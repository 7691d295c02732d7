"""The FineTuneJob API, from which CRD, chart schema and reference are generated."""
