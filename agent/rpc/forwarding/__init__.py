"""Requests of clients that servers answer: which server is asked, what is tried again, and what agents share and keep."""
