"""Rules of the category layers: parameters that a layer refuses for any bottoms."""

from __future__ import annotations

from prototxt_gen.diagnostics import Severity
from prototxt_gen.lint.rule import described

described(
    "layers",
    Severity.ERROR,
    {
        "kernel-missing": """
            A layer with windows has no kernel.
            Caffe stops: "kernel_size must be specified once, or once per spatial dimension"
            (base_conv_layer.cpp), "Filter size is kernel_size OR kernel_h and kernel_w"
            (pooling_layer.cpp).
            Write `kernel_size`, or both `kernel_h` and `kernel_w`. Pooling over the whole image is
            `global_pooling: true`.
        """,
        "window-spelling": """
            A kernel, stride or pad is given in both forms, or by half of one.
            Caffe stops: "Either kernel_size or kernel_h/w should be specified; not both"
            (base_conv_layer.cpp), "pad is pad OR pad_h and pad_w" (pooling_layer.cpp).
            Write one value for both axes, or the pair of `_h` and `_w`.
        """,
        "window-zero": """
            A kernel, a stride or a size in cells is 0.
            Caffe stops: "Filter dimensions cannot be zero" (pooling_layer.cpp), "Stride dimensions
            must be nonzero" (base_conv_layer.cpp). A Pooling stride of 0 ends in an impossible
            shape (blob.cpp). Sizes of layers for regions are refused likewise.
            Write at least 1; a stride that is left out is 1.
        """,
        "int-overflow": """
            A number is larger than the int that Caffe keeps it in.
            The field is unsigned and takes up to 4294967295, but layers copy it to an int, where
            numbers above 2147483647 become negative: a stride is then refused as not positive, or
            the shape is impossible (base_conv_layer.cpp, pooling_layer.cpp, lrn_layer.cpp).
            Write what was meant: such a number is mostly a -1 of some other program.
        """,
        "global-pooling": """
            Pooling over the whole image has a kernel, a stride or a pad.
            Caffe stops: "With Global_pooling: true Filter size cannot specified", and wants pad 0
            and stride 1 (pooling_layer.cpp).
            Leave out either `global_pooling` or the window.
        """,
        "pooling-pad": """
            A pad of Pooling is not smaller than its kernel, or its method takes none.
            Caffe stops: a window must not lie in the pad alone, and "Padding implemented only for
            average and max pooling" (pooling_layer.cpp). SPP's windows come from `pyramid_height`,
            which is too high for so small an image.
            Write a pad of less than the kernel, and none with STOCHASTIC.
        """,
        "num-output-zero": """
            A layer has no outputs: num_output is missing or 0.
            Caffe stops (base_conv_layer.cpp; lstm_layer.cpp and rnn_layer.cpp: "num_output must be
            positive"), or with the filler of an empty weight.
            Write `num_output`.
        """,
        "input-dim-zero": """
            Embed has no rows: input_dim is missing or 0.
            Caffe stops: "EmbedLayer input_dim must be positive" (embed_layer.cpp).
            Write as many as there are indices.
        """,
        "group-zero": """
            A layer has 0 groups.
            A convolution divides its channels by the groups (base_conv_layer.cpp), and Caffe ends
            with a division by 0.
            Write at least 1, or leave the field out.
        """,
        "group-divides": """
            Channels cannot be divided among the groups.
            Caffe stops unless `group` divides both the channels of the bottom and num_output:
            "Number of output should be multiples of group" (base_conv_layer.cpp). Layers of regions
            by position need output_dim times the square of group_size channels.
            Write a group that divides both; a depthwise convolution has all three equal.
        """,
        "num-axes": """
            The number of axes of Scale or Bias is negative.
            Caffe stops: "num_axes must be non-negative, or -1 to extend to the end of bottom[0]"
            (scale_layer.cpp, bias_layer.cpp).
            Write 1 for a factor of each channel.
        """,
        "lrn-even": """
            LRN's local_size is even.
            Caffe stops: "LRN only supports odd values for local_size" (lrn_layer.cpp).
            Write an odd number, such as 5: as many neighbours on both sides.
        """,
        "base": """
            The base of Exp or Log is not positive.
            Caffe stops: "base must be strictly positive" (log_layer.cpp); -1 stands for e. The
            logarithm of a base of 1 is 0, by which Log would divide.
            Write a positive base, or leave the field out.
        """,
        "tiles": """
            Tile has no number of copies, or none of at least 1.
            Caffe stops: "Number of tiles must be specified", "must be positive" (tile_layer.cpp).
            Write `tiles`.
        """,
        "top-k": """
            top_k is 0, or more than there are values to choose from.
            Caffe stops: "top_k must be less than or equal to the number of classes"
            (accuracy_layer.cpp), and so for ArgMax and its axis (argmax_layer.cpp).
            Write from 1 to the number of classes.
        """,
        "eltwise-coeff": """
            Eltwise has coefficients that do not fit its bottoms or its operation.
            Caffe stops: it takes one `coeff` for each bottom, or none, and none with PROD
            (eltwise_layer.cpp).
            Write one for each bottom, and SUM.
        """,
        "concat-axis": """
            Concat's axis is given by both its names.
            Caffe stops: "Either axis or concat_dim should be specified; not both"
            (concat_layer.cpp).
            Write `axis`; `concat_dim` is its old name.
        """,
        "slice-axis": """
            Slice's axis is given by both its names.
            Caffe stops: "Either axis or slice_dim should be specified; not both"
            (slice_layer.cpp).
            Write `axis`; `slice_dim` is its old name.
        """,
        "slice-point": """
            Slice points do not ascend, or lie past the end of the axis.
            A part would have no or a negative size, and Caffe stops (slice_layer.cpp; blob.cpp).
            Each point is where a part ends: write ascending numbers below the size of the axis.
        """,
        "reshape-axes": """
            Reshape's num_axes is less than -1.
            Caffe stops: "num_axes must be >= 0, or -1 for all" (reshape_layer.cpp).
            Leave it out to reshape all axes from `axis` on.
        """,
        "pyramid-height": """
            SPP's pyramid_height is 0, or higher than for any image.
            Each level doubles the cells of a side, so that the pad of the windows soon reaches
            their size, which Caffe refuses (pooling_layer.cpp).
            Write 1 to 16; 3 gives grids of 1, 2 and 4 cells a side.
        """,
        "loss-normalize": """
            InfogainLoss has the old field `normalize`.
            Its set-up refuses that (infogain_loss_layer.cpp).
            Write `normalization`: VALID for true, BATCH_SIZE for false.
        """,
        "negative-dim": """
            A shape has a negative dimension.
            Caffe stops when it makes the blob (blob.cpp, Reshape).
            Write 0 or more. A batch that is to stay open is given with `--batch dynamic` when the
            net is converted.
        """,
        "input-shapes": """
            A layer of inputs does not have as many shapes or fillers as tops.
            Caffe stops: "Must specify 'shape' once, or once per top blob" (dummy_data_layer.cpp;
            input_layer.cpp likewise), "Both shape and legacy fields were specified".
            Write one `shape` for all tops, or one for each.
        """,
        "memory-data-size": """
            MemoryData lacks one of its four sizes.
            Its layer needs batch_size, channels, height and width, all more than 0
            (memory_data_layer.cpp).
            Write all four.
        """,
        "image-size": """
            ImageData has only one of new_height and new_width.
            Caffe stops: both or neither (image_data_layer.cpp).
            Write both, or leave both out to keep the size of the files.
        """,
        "crop-size": """
            WindowData has no crop_size.
            Its windows are scaled to that size, and without one Caffe cannot shape its top
            (window_data_layer.cpp).
            Write `transform_param { crop_size: ... }`.
        """,
        "hdf5-transform": """
            HDF5Data has a transform_param.
            Caffe stops: the layer gives what is in its files, whatever that is, and transforms
            nothing (hdf5_data_layer.cpp).
            Transform the numbers when you write the files, and remove `transform_param`.
        """,
        "permute-order": """
            An order of axes names one of them twice, or not all.
            Permute (SSD) wants each axis at most once; the others follow. Transpose (CTPN) wants
            every axis of its bottom once.
            Write, for instance, `order: [0, 2, 3, 1]` for channels last.
        """,
        "prior-box-size": """
            A size, a step or an aspect ratio of PriorBox cannot be.
            SSD's Caffe stops: min_size is required and positive, and each max_size, one for every
            min_size, exceeds it (prior_box_layer.cpp).
            Write sizes in pixels of the image.
        """,
        "prior-box-form": """
            PriorBox has the size of the image or the step in both forms, or by half of one.
            SSD's Caffe stops: either `step`, or `step_h` and `step_w`, and so for `img_size`
            (prior_box_layer.cpp).
            Write one value, or the pair.
        """,
        "prior-box-variance": """
            PriorBox has variances that are not 1 or 4 positive numbers.
            SSD's Caffe stops (prior_box_layer.cpp).
            Write four, as `variance: [0.1, 0.1, 0.2, 0.2]`, one for all, or none, which is 0.1.
        """,
        "num-classes": """
            DetectionOutput has no num_classes.
            SSD's Caffe stops (detection_output_layer.cpp).
            Write the number of classes, with the background.
        """,
        "nms": """
            Non-maximum suppression has a threshold or an eta that cannot be.
            SSD's Caffe wants nms_threshold of 0 or more, and eta above 0, at most 1
            (detection_output_layer.cpp).
            Write, for instance, `nms_threshold: 0.45`; eta is 1 where it is left out.
        """,
        "background-label": """
            DetectionOutput shares locations, and its background_label_id is -1.
            -1 is also the label of shared locations, which SSD's Caffe then skips: it finds none
            (detection_output_layer.cpp, Forward_cpu).
            Write the class of the background, mostly 0, or `share_location: false`.
        """,
        "proposals": """
            A layer of proposals has anchors, or bottoms, that do not fit.
            It takes two scores and four offsets of each anchor, of a single image, in equally large
            maps, and the height, width and scale of that image (proposal_layer.py, and its
            equivalents in C++).
            An anchor is a ratio with a scale: num_output of the two convolutions before is 2 and 4
            times their number.
        """,
        "yolo": """
            A head of YOLO has anchors, masks or channels that do not fit.
            Its map has 5 values and the classes for each of `num_box` boxes, and `biases` a width
            and a height for each anchor; the fork's layers count on it without a check
            (yolo_detection_output_layer.cpp, yolov3_detection_output_layer.cpp).
            Write num_output of the convolution before as num_box * (5 + num_classes).
        """,
        "python-param": """
            param_str is not what the class of a Python layer expects.
            The class reads it as YAML when it is set up, and raises an exception for a value that
            is missing or of another kind.
            For proposals write `param_str: "'feat_stride': 16"`.
        """,
        "bbox-reg": """
            DecodeBBox has means and deviations that are not four each, or a deviation of 0.
            They belong to the four offsets of a box (decode_bbox_layer.cpp).
            Write four of each, deviations above 0, or none of either.
        """,
        "interp-pad": """
            Interp has a positive pad.
            Its layer only crops: pads are 0 or negative (interp_layer.cpp).
            Write how much is cut off with a minus, or leave the field out.
        """,
        "interp-factor": """
            A factor of Interp is less than 1.
            Its layer stops (interp_layer.cpp).
            Write 1 or more: zoom_factor enlarges, shrink_factor makes smaller.
        """,
        "interp-size": """
            Interp has no size, or one that leaves nothing of the bottom.
            It needs height and width, zoom_factor or shrink_factor, and at least one pixel left
            (interp_layer.cpp).
            Write one of them.
        """,
        "upsample-size": """
            Upsample has only one of two sizes, or a scale of 0.
            Its layer wants upsample_h and upsample_w together, and scale_h and scale_w together
            (upsample_layer.cpp).
            Write both, or `scale`, which is 2 in nets with a mask of Pooling.
        """,
        "upsample-pad": """
            Upsample has a pad at its end, and a scale other than 2.
            pad_out_h and pad_out_w are for the odd row or column of an image that was halved
            (upsample_layer.cpp).
            Write a scale of 2, or leave the pad out.
        """,
    },
)
described(
    "layers",
    Severity.WARNING,
    {
        "dropout-ratio": """
            Dropout's ratio is not 0 or more and less than 1.
            Training scales by 1 / (1 - dropout_ratio), which is infinite for 1; only a debug build
            of Caffe checks it (dropout_layer.cpp).
            Write the share of values that are set to 0, such as 0.5.
        """,
    },
)
