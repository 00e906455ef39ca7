"""From a net to another net that computes the same."""
