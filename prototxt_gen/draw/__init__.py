"""Pictures of nets: boxes and frames first, then a form of them."""
