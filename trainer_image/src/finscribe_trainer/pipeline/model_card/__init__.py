"""README.md of an adapter and of a merged model: description, usage and metrics."""
