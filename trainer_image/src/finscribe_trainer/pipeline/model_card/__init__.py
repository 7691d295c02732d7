"""README.md of an adapter and of a merged model: what it is, how to use it, how well it reads."""
