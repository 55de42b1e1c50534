"""GeoReport v2: discovery, services, definitions, requests and tokens. Each module declares endpoints."""
