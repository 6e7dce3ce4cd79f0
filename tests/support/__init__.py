"""What the tests share: a movable clock, homes, and real servers."""
