"""The freshness of responses: the consistency that a request asks for, and the barrier of reads."""
