"""The leadership of the servers."""
