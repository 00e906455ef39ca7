"""A folder of a model repository that NVIDIA's Triton inference server serves."""
