"""The HTTP edge: one handler per endpoint, one error map."""
