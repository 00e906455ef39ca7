"""The typed net between every format: reading, writing, checks, shapes."""
