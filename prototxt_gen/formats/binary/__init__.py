"""Binary files: the wire format, messages, weights."""
