"""The demonstration of a cluster: servers, client agents and HAProxy on five machines, or on five addresses of this one."""
