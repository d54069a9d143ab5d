"""The state: tables and indexes in memory, watches, and the changesets that writes become.  Pure: no IO, no clock."""
