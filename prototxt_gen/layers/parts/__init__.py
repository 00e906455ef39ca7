"""What several layer types share, and no layer type itself."""
