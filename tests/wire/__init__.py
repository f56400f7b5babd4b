"""Recorded exchanges with the vendors, replayed through the rooms."""
