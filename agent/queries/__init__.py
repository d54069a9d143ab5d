"""Prepared queries at work: templates filled in, instances chosen and put in order.  Pure: chance is passed in."""
