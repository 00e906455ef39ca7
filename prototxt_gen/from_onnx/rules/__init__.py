"""Operators that take several layers, one module for each family."""
