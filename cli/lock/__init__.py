"""Locks and semaphores on keys, and the sessions that hold them."""
