"""Rules of the category shapes: what depends on the shapes of a layer's bottoms."""

from __future__ import annotations

from prototxt_gen.diagnostics import Severity
from prototxt_gen.lint.rule import described

described(
    "shapes",
    Severity.ERROR,
    {
        "shape-mismatch": """
            Bottoms of a layer have shapes that do not fit together.
            Caffe compares them when it builds the net, and stops: Eltwise wants equal shapes
            (eltwise_layer.cpp), Concat equal ones except along its axis (concat_layer.cpp), a loss
            as many labels as predictions (loss_layer.cpp, softmax_loss_layer.cpp).
            The message has both shapes, and the layers that made them: look for the one whose
            kernel, stride, pad or num_output is not as in the other branch.
        """,
        "bottom-rank": """
            A bottom has too few or too many axes for the layer.
            Caffe stops, for instance "Input must have 4 axes, corresponding to (num, channels,
            height, width)" (pooling_layer.cpp, lrn_layer.cpp), or where a layer asks for an axis
            that a blob does not have (blob.hpp).
            Reshape or Flatten the bottom first, or give the input all its dimensions.
        """,
        "axis-out-of-range": """
            An axis, or the last of several, is one that the bottom does not have.
            Caffe stops (blob.hpp, CanonicalAxisIndex; reshape_layer.cpp, scale_layer.cpp and
            bias_layer.cpp for a range of axes).
            Axes count from 0, or from -1 at the end: channels are axis 1 of four.
        """,
        "legacy-axes": """
            A bottom has more than four axes, and the layer works with four.
            BVLC's Caffe stops: "Cannot use legacy accessors on Blobs with > 4 axes" (blob.hpp,
            LegacyShape). Layers of some forks do not use these, so that without `--dialect bvlc` it
            is one warning for the net.
            Reshape the bottom to four axes before the layer, and back after it.
        """,
        "too-many-axes": """
            A blob would have more than 32 axes.
            Caffe stops: 32 is the most that it allows (blob.hpp, kMaxBlobAxes).
            Merge axes of the shape.
        """,
        "blob-too-large": """
            A blob, or a buffer of a layer, would have more elements than an int counts.
            Caffe stops: "blob size exceeds INT_MAX" (blob.cpp, Reshape). It counts tops and
            weights, and for a convolution also the windows of an image as columns: channels times
            the kernel times the positions (base_conv_layer.cpp). Engines of forks may do without
            those, so that they are a warning unless `--dialect bvlc` is asked for.
            Make the batch, the image or the number of outputs smaller.
        """,
        "window-too-large": """
            A kernel, with its dilation, does not fit into the bottom and its pad.
            The top would have a negative size, and Caffe stops (blob.cpp, Reshape). For a
            Deconvolution it is a pad that cuts off more than there is.
            Use a larger input, a smaller kernel or fewer strides before the layer.
        """,
        "window-axes": """
            A window does not have as many values as the bottom has spatial axes.
            Caffe stops: "kernel_size must be specified once, or once per spatial dimension", and so
            for stride, pad and dilation; kernel_h and kernel_w are for two axes only
            (base_conv_layer.cpp, im2col_layer.cpp).
            Write one value, or one for each axis after the channels.
        """,
        "slice-equal": """
            Slice without slice points cannot cut an axis into equal parts.
            Caffe stops: "Number of top blobs should evenly divide input slice axis"
            (slice_layer.cpp).
            Write `slice_point`, or as many tops as divide the axis.
        """,
        "reshape-count": """
            Reshape would change the number of elements.
            Caffe stops: "output count must match input count", or with a -1 "bottom count must be
            divisible by the product of the specified dimensions" (reshape_layer.cpp).
            Let one dimension be -1, and keep axes of the bottom with 0.
        """,
        "reshape-dim": """
            A dimension of Reshape cannot be.
            At most one may be -1, none may be less (blob.cpp), and a 0 copies the bottom's axis
            at its position, which must exist (reshape_layer.cpp).
            Write a dimension of 1 or more, 0 for that of the bottom, or -1 once for the rest.
        """,
        "crop-offset": """
            Crop has a number of offsets that is neither one nor that of its axes.
            Caffe stops: "number of offset values specified must be equal to the number of
            dimensions following axis" (crop_layer.cpp).
            Write none, one for all, or one for each axis from `axis` on.
        """,
        "crop-bounds": """
            The part that Crop is to cut out lies partly outside of its bottom.
            Caffe stops: "the crop for dimension is out-of-bounds" (crop_layer.cpp).
            The first bottom is cut to the size of the second, from the offset on: make the offset
            smaller, or exchange the bottoms.
        """,
        "prior-count": """
            DetectionOutput's offsets or scores do not fit the prior boxes.
            SSD's Caffe needs four offsets, and a score of each class, for every prior box
            (detection_output_layer.cpp).
            Look at num_output of the convolutions that predict them, at num_classes, and at
            share_location.
        """,
        "reorg-stride": """
            Reorg's stride does not divide the bottom.
            Its layer makes squares of stride by stride pixels into channels: stride divides height
            and width, and its square the channels, as darknet's layer also wants them.
            Use an input whose size is a multiple of all strides of the net.
        """,
        "rois": """
            Regions of interest are not rows of five numbers.
            A region is its image and two corners: (image, x1, y1, x2, y2). Layers of Fast R-CNN
            read them so, whatever the shape.
            Give the bottom the shape (regions, 5).
        """,
    },
)
described(
    "shapes",
    Severity.WARNING,
    {
        "pooling-outside": """
            The last pooling windows lie wholly outside of the image.
            Caffe rounds the number of windows up, and leaves out those that start in the pad only
            where there is a pad (pooling_layer.cpp). With a stride above the kernel a window may
            read nothing then: its maximum is the least float, -3.40282e+38, its mean 0 or NaN.
            Use a stride of at most the kernel, `round_mode: FLOOR`, or another size of image.
        """,
    },
)
