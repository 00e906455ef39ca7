"""From one net to another that computes the same."""
