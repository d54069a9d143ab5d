"""Pages that change while they are looked at: regions of a page, what differs between two renderings, and the stream of it."""
