"""From a specification to a net: the spec, its blocks, their names, and the templates."""
