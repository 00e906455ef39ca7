"""One module for each category of rules."""
