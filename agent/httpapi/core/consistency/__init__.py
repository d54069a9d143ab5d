"""How fresh a response is: the consistency that a request asks for, and the barrier of reads."""
