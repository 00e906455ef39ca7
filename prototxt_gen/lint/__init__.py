"""The linter: all findings about a file, which of them are shown, and in which form."""
