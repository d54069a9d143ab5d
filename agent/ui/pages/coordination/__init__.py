"""Pages of what applications coordinate with: sessions, events, prepared queries."""
