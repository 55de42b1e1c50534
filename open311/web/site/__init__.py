"""Pages for people, health checks for load balancers, and metrics. Each module declares endpoints."""
