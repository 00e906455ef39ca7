"""The sizes that pooling and convolution give, against a count of windows one by one."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from prototxt_gen.errors import ShapeError
from prototxt_gen.layers.convolution import Convolution
from prototxt_gen.layers.deconvolution import Deconvolution
from prototxt_gen.layers.pooling import CEIL, FLOOR, Pooling

sizes = st.integers(1, 40)
kernels = st.integers(1, 9)
strides = st.integers(1, 9)


@given(sizes, kernels, strides, st.integers(0, 8), st.integers(1, 4))
def test_convolution(size: int, kernel: int, stride: int, pad: int, dilation: int) -> None:
    extent = dilation * (kernel - 1) + 1
    padded = size + 2 * pad
    windows = sum(start + extent <= padded for start in range(0, padded, stride))
    # Caffe divides with C++'s rounding: a window that is less than a stride too large fits.
    if extent > padded and extent - padded < stride:
        windows = 1
    layer = Convolution(1, (kernel,), (pad,), (stride,), (dilation,))
    try:
        ((_, _, found),) = layer.shapes([(1, 1, size)], 1)
    except ShapeError:
        found = 0
    assert found == windows


@given(sizes, kernels, strides, st.integers(0, 8), st.sampled_from([CEIL, FLOOR]))
def test_pooling(size: int, kernel: int, stride: int, pad: int, mode: str) -> None:
    assume(pad < kernel)
    padded = size + 2 * pad
    assume(kernel <= padded)
    if mode == FLOOR:
        starts = [start for start in range(0, padded, stride) if start + kernel <= padded]
    else:
        # One more, unless the last window ends exactly where the image and its pads do.
        starts = [0]
        while starts[-1] + kernel < padded:
            starts.append(starts[-1] + stride)
    # With a pad, a last window that starts behind the image and the pad in front is cut.
    if pad and starts[-1] >= size + pad:
        starts.pop()
    layer = Pooling(kernel=(kernel,), stride=(stride,), pad=(pad,), round_mode=mode)
    ((_, _, height, width),) = layer.shapes([(1, 1, size, size)], 1)
    assert (height, width) == (len(starts), len(starts))


@given(sizes, sizes, kernels, strides, st.integers(0, 4), st.integers(0, 4))
def test_pooling_cuts_both_axes_where_one_has_a_pad(
    height: int, width: int, kernel: int, stride: int, pad_h: int, pad_w: int
) -> None:
    assume(max(pad_h, pad_w) < kernel <= min(height, width))
    layer = Pooling(kernel=(kernel,), stride=(stride,), pad=(pad_h, pad_w))
    (found,) = layer.shapes([(1, 1, height, width)], 1)
    for size, pad, out in ((height, pad_h, found[2]), (width, pad_w, found[3])):
        assert out is not None
        last = (out - 1) * stride
        if pad_h or pad_w:
            assert last < size + pad
        assert last + stride + kernel > size + 2 * pad or (pad_h or pad_w)


@given(st.integers(1, 12), kernels, strides, st.integers(0, 3), st.integers(1, 3))
def test_deconvolution_is_the_reverse(
    size: int, kernel: int, stride: int, pad: int, dilation: int
) -> None:
    assume(2 * pad <= dilation * (kernel - 1))
    window = ((kernel,), (pad,), (stride,), (dilation,))
    ((_, _, large),) = Deconvolution(1, *window).shapes([(1, 1, size)], 1)
    ((_, _, small),) = Convolution(1, *window).shapes([(1, 1, large)], 1)
    assert small == size
