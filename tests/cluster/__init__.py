"""Many prompts over a Ray cluster on this machine: `make test-ray`."""
