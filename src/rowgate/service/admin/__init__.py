"""What administrators do: applications, objects, tokens; each change is on record before it counts."""
