"""Rules of the category weights, found by ``lint.weights``, and where weights are used."""

from __future__ import annotations

from prototxt_gen.diagnostics import Severity
from prototxt_gen.lint.rule import described

described(
    "weights",
    Severity.ERROR,
    {
        "weights-missing": """
            The caffemodel has no weights for a layer, or too few or too many.

            If the file has the layer, but with another number of weights, Caffe stops. If it has
            no layer of this name, the weights stay as the fillers made them (net.cpp,
            CopyTrainedLayersFrom): `validate` warns, and what computes with the net refuses it.
            Give the layer the name and the parameters (`bias_term`) that it has in the file.
            """,
        "weight-shape": """
            A weight has another shape in the caffemodel than in the net.

            Caffe stops (net.cpp, CopyTrainedLayersFrom). Of an old file, whose shapes always have
            four numbers, it compares the axes from the last one on (blob.cpp, ShapeEquals).
            Correct the layer's parameters, or rename the layer to train it from its fillers.
            """,
        "weights-foreign": """
            No layer of the net that has weights is in the caffemodel.

            Caffe ignores the whole file, and the net computes with what its fillers made (net.cpp,
            CopyTrainedLayersFrom): `validate` warns, and what computes with the net refuses it.
            Give the caffemodel that was trained with this net;
            `resnet-proto weights copy --map old=new` renames layers.
            """,
        "not-binary": """
            A binary file cannot be read as a net by the schema of the dialect, or of any.

            Caffe's reader refuses a file that is cut off or broken, and does not know the fields
            of other forks.
            Give the file as it was saved, and with `--dialect` the Caffe that saved it.
            """,
    },
)

described(
    "weights",
    Severity.WARNING,
    {
        "weights-type": """
            A layer has another type in the caffemodel than in the net.

            Caffe compares names, numbers and shapes of weights only (net.cpp,
            CopyTrainedLayersFrom): it computes something else than what was trained.
            Correct the type, or rename the layer if it is another one.
            """,
        "weights-not-finite": """
            A weight has numbers that are NaN or infinite.

            Caffe loads them, and all that is computed with them is NaN or infinite as well.
            Take an earlier snapshot: the training that made the file has diverged, or the file
            is damaged.
            """,
        "batch-norm-factor": """
            The factor of a BatchNorm's statistics is 0.

            Caffe divides mean and variance by the factor, and takes 0 for both if that is 0
            (batch_norm_layer.cpp), so that the layer only scales up its input.
            Give a file that was saved after training. If a tool made it, the third weight of the
            layer should be 1.
            """,
    },
)

described(
    "weights",
    Severity.NOTE,
    {
        "weights-extra": """
            The caffemodel has layers with weights that the net does not have.

            Caffe ignores them (net.cpp, CopyTrainedLayersFrom).
            Nothing is to be done if these layers were left out on purpose. If a layer of the net
            has another name in the file, rename it.
            """,
    },
)
