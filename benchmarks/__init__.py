"""Compares the cost of the package with that of the libraries below it, in one run: `make bench`."""
