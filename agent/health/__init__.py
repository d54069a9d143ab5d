"""Health checks: what they are (`definition`, `decode`, `validate`), what their results mean (`thresholds`, `ttl`, `alias`), when
they are due (`timetable`), and, in `runners`, what runs them (`runners.scheduler.CheckScheduler`)."""
