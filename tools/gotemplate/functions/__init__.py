"""Template functions that look nothing up, by family."""
