"""Generate, validate and convert Caffe networks, without a Caffe."""
