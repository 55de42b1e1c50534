"""Pages for people, and health checks for load balancers. Each module declares endpoints."""
