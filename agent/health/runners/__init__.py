"""The part of health checks that does IO: one file for each kind of check, and the scheduler."""
