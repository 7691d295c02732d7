"""Which rows are easy, and how soon the harder ones join."""
