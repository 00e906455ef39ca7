"""Rules of the category graph: how layers are wired, and what they have whatever their type."""

from __future__ import annotations

from prototxt_gen.diagnostics import Severity
from prototxt_gen.lint.rule import described

described(
    "graph",
    Severity.ERROR,
    {
        "empty-net": """
            The net has no layer.
            Caffe builds such a net without a word, and it computes nothing: most often the file
            is empty, or not the one that was meant.
            Write at least one layer, or pass another file.
        """,
        "include-and-exclude": """
            A layer has both `include` and `exclude` rules.
            Caffe stops when it filters the net by its phase (net.cpp, FilterNet).
            Write rules of one kind: `include { phase: TRAIN }` is `exclude { phase: TEST }`.
        """,
        "unknown-type": """
            A layer has a type that Caffe does not have, or none.
            Caffe stops: "Unknown layer type" (layer_factory.hpp, LayerRegistry::CreateLayer).
            Types are written as in the list of Caffe's layers, with their case: `ReLU`,
            `InnerProduct`. A type of some fork or of your own is a warning, and shapes after it
            are not checked; `--dialect bvlc` makes it an error.
        """,
        "unknown-bottom": """
            A bottom is not the top of an earlier layer.
            Caffe reads layers in the order of the file, and stops: "Unknown bottom blob"
            (insert_splits.cpp).
            Write the name of a top that comes before, or move the layer that makes it up.
        """,
        "duplicate-top": """
            Two layers have the same top.
            Caffe stops: "Top blob produced by multiple sources" (net.cpp, AppendTop). Only a layer
            that works in place may write a blob again: its bottom of the same index has that name.
            Give the top a name of its own.
        """,
        "in-place-shared": """
            A layer works in place on a blob that another one reads as well.
            Caffe splits a blob with several readers, so that the layer no longer writes over its
            own bottom, and stops: "Top blob produced by multiple sources" (net.cpp, AppendTop,
            and insert_splits.cpp).
            Give the top a name of its own, and later layers that name as their bottom.
        """,
        "in-place-refused": """
            A layer of a type that cannot work in place has its bottom as its top.
            The values or the shape of the bottom would be lost while they are still read: Flatten
            and Reshape refuse it themselves (flatten_layer.cpp, reshape_layer.cpp), and others
            stop in the checks of their shapes (SPP in spp_layer.cpp).
            Give the top a name of its own.
        """,
        "bottom-count": """
            A layer has too few or too many bottoms for its type.
            Caffe stops in CheckBlobCounts (layer.hpp) with the number that the type takes.
            The finding is at the first bottom that is too many, or at the type that needs more.
        """,
        "top-count": """
            A layer has too few or too many tops for its type, or for its bottoms.
            Caffe stops in CheckBlobCounts (layer.hpp): Convolution makes a top of each bottom,
            Pooling a second one, the mask, for MAX only. Filter makes one of each bottom but the
            last (filter_layer.cpp), and Slice one more than it has slice points
            (slice_layer.cpp).
        """,
        "loss-weight-count": """
            A layer has several tops, and not as many loss weights.
            Caffe stops: "loss_weight must be unspecified or specified once per top blob"
            (layer.hpp). A loss gives itself a single one where there is none (loss_layer.cpp), so
            that with two tops it needs two.
            Write one `loss_weight` for each top, 0 for one that is no loss, or none.
        """,
        "propagate-down-count": """
            A layer does not have as many `propagate_down` as bottoms.
            Caffe stops: "propagate_down param must be specified either 0 or bottom_size times"
            (net.cpp).
            Write one for each bottom, or none.
        """,
        "too-many-params": """
            A layer has more `param` than weights.
            Caffe stops: "Too many params specified for layer" (net.cpp). A layer without a bias
            (`bias_term: false`) has one weight less, and ReLU or Pooling have none.
            Leave out those at the end, or switch the bias on.
        """,
        "batch-norm-lr": """
            A statistic of BatchNorm has a learning rate.
            Mean, variance and their factor are measured, not learned. Caffe stops: "Cannot
            configure batch normalization statistics as layer parameters" (batch_norm_layer.cpp).
            It sets three `param` right itself (UpgradeNetBatchNorm), but not one or two.
            Write `param { lr_mult: 0 }` three times, or no `param` at all.
        """,
        "shared-param-shape": """
            Two layers share a weight by its name, but theirs have different shapes.
            Caffe stops: "Cannot share param" (net.cpp, AppendParam). It compares shapes, or with
            `share_mode: PERMISSIVE` only the numbers of elements.
            Make the layers alike, or give one `param` another `name`.
        """,
        "filler-type": """
            A filler has a type that Caffe does not have.
            Caffe stops: "Unknown filler name" (filler.hpp, GetFiller). Weights that a caffemodel
            brings come after that.
            Write one of constant, gaussian, positive_unitball, uniform, xavier, msra and bilinear;
            they have no capitals.
        """,
        "filler-bounds": """
            A filler cannot fill the weight that it is for.
            Caffe stops while it builds the net (filler.hpp, math_functions.cpp): uniform needs min
            not above max, gaussian a positive std, bilinear four axes and a square kernel, and all
            but bilinear at least one number to fill; only gaussian may be sparse.
            Correct the number that the message names, or choose another type.
        """,
    },
)
described(
    "graph",
    Severity.WARNING,
    {
        "duplicate-name": """
            Two layers have the same name.
            Caffe builds the net, but weights are found by the names of layers: it would give both
            the blobs of one.
            Give each layer a name of its own. Two layers of the same name in different phases
            are fine.
        """,
    },
)
