"""What is no layer type, and what several of them share."""
