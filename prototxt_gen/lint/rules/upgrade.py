"""Rules of the category upgrade: what goes wrong, or is lost, when Caffe upgrades an old net.

They are found by ``formats.upgrade``.
"""

from __future__ import annotations

from prototxt_gen.diagnostics import Severity
from prototxt_gen.lint.rule import described

described(
    "upgrade",
    Severity.ERROR,
    {
        "layer-and-layers": """
            The net has both `layer`, of today, and `layers`, of before 2015.

            Caffe upgrades the `layers` and drops every `layer` (upgrade_proto.cpp, UpgradeV1Net).
            Turn the `layers` into `layer`, or the other way round.
            """,
        "v0-and-v1-layers": """
            A net of 2013, with `layers { layer { ... } }`, has `layers` without a `layer`.

            Where any is of 2013, Caffe takes all of them for such (upgrade_proto.cpp,
            UpgradeV0Net), and one without a `layer` becomes empty.
            Write all `layers` in one form.
            """,
        "v0-padding": """
            A padding layer of 2013 does not fit the layer after it.

            Caffe merges padding into the layer that reads it, which has to be "conv" or "pool"
            with one bottom, and otherwise it stops (upgrade_proto.cpp, UpgradeV0PaddingLayers). If
            that layer has another `pad` of its own, this is overridden: then it is a warning.
            Give the `pad` to the layer itself, and remove the padding layer.
            """,
        "v0-unknown-type": """
            A layer of 2013 has a type that Caffe did not have then.

            Caffe stops when it upgrades the net (upgrade_proto.cpp, UpgradeV0LayerType).
            Write one of the types of then, such as "conv" or "innerproduct", or the whole net in
            the present form.
            """,
        "v0-value": """
            `new_height` or `new_width` of a layer of 2013 is negative.

            It becomes a field without a sign, so that Caffe makes 4294967295 of -1.
            Write 0, which means that images keep their size, or more.
            """,
        "v1-unknown-type": """
            A `layers` block has a type that Caffe cannot upgrade, such as NONE.

            Caffe stops when it upgrades the net (upgrade_proto.cpp, UpgradeV1LayerType).
            Write one of the types of then, such as CONVOLUTION.
            """,
        "v1-share-mode": """
            `blob_share_mode` of a `layers` block is neither STRICT nor PERMISSIVE.

            Caffe stops when it upgrades the net (upgrade_proto.cpp, UpgradeV1LayerParameter). In
            a text any other value is an `unknown-enum-value`.
            Write STRICT for weights of the same shape, PERMISSIVE for those of the same size.
            """,
        "input-shape-count": """
            There are fewer `input_shape` than `input`.

            Caffe reads past the end of the list, and takes what happens to be there
            (upgrade_proto.cpp, UpgradeNetInput).
            Give each input a shape, or write an Input layer.
            """,
        "input-dim-count": """
            There are fewer than four `input_dim` for each `input`.

            Caffe reads past the end of the list, and takes what happens to be there
            (upgrade_proto.cpp, UpgradeNetInput).
            Give each input num, channels, height and width; an `input_shape` may have any number
            of axes.
            """,
    },
)

described(
    "upgrade",
    Severity.WARNING,
    {
        "v0-ignored-field": """
            A field of an old layer stands where Caffe does not look for it.

            Caffe copies the fields that a type of 2013 has, and nothing else (upgrade_proto.cpp,
            UpgradeV0LayerParameter).
            Move the field into `layer { ... }`, or remove it.
            """,
        "transform-overridden": """
            A field in `transform_param` of an old data layer is overridden.

            The layer gives it twice: Caffe moves `scale`, `mean_file`, `crop_size` and `mirror`
            out of `data_param` and its like into `transform_param`, over what is there
            (upgrade_proto.cpp, UpgradeNetDataTransformation).
            Keep the one in `transform_param`.
            """,
        "input-ignored-field": """
            Fields that describe the net's inputs are too many, or there is no shape.

            Caffe takes `input_shape` rather than `input_dim`, takes no more of either than there
            are inputs, and drops an `input` without any shape (upgrade_proto.cpp,
            UpgradeNetInput).
            Remove what is ignored; give each input a shape.
            """,
    },
)
