"""Text: tokens, trees, the types of values, and the printer."""
