"""Bytes and text to documents and back; the only room that knows protobuf."""
