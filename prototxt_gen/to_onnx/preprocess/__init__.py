"""Preprocessing in the model: what is asked for, its operators, and what the model says of it."""
