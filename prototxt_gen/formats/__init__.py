"""From bytes and text to documents and back; the only package that knows protobuf."""
