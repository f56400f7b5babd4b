"""What the package costs beside what it stands on, measured side by side in one run. Run with `make bench`."""
