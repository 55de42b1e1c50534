"""Public data: pages, single requests, changes, exports."""
