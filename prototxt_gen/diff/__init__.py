"""Two nets compared by their graphs, or two solvers by their fields.

``fields`` resolves what a layer says, ``net`` how its layers are wired, ``match`` finds the
layer of the other net that is the same one, and ``compare`` tells what is different about it
(``order`` what has moved). ``structure`` asks whether two nets are equal but for names.
"""
