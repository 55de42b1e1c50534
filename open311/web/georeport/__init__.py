"""GeoReport v2: discovery, services, definitions, requests, tokens: each module declares endpoints."""
