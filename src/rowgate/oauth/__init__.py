"""The authorization protocol core: no IO, no clock, no randomness; what it needs comes as arguments."""
