"""Layer types: one module for each family."""
