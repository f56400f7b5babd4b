"""URLs, credentials and clients of the provider."""
