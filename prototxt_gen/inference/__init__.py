"""A net or a model on pictures: pictures in, answers, pictures out."""
