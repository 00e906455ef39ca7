"""Code that several layer types share; it contains no layer types."""
