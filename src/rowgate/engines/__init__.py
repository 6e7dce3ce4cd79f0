"""The databases whose rows are served, one adapter each."""
