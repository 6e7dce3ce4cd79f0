"""Who did what: a closed set of events, and the sinks that make them durable."""
