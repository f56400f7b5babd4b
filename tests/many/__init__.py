"""Many prompts: `map_requests`, its checkpoint, and the command `map`."""
