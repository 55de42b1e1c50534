"""Pages for people, and addresses for load balancers: each module declares endpoints."""
