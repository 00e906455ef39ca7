"""From a model that our own conversion made back to the net that it was made from."""
