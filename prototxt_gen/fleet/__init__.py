"""A folder of nets, converted together."""
