"""The DNS wire format: questions, records, truncation. Pure."""
