"""The layers of a net, one by one or by stages and units, and what they cost."""

from prototxt_gen.summary.net import Row, Summary, summarize

__all__ = ["Row", "Summary", "summarize"]
