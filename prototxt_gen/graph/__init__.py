"""The typed net between all formats: reading, writing, checks, shapes."""
