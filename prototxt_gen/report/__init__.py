"""One page about a net: its picture, layers, cost, findings, weights and conversion."""
