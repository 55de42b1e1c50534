"""Reading of public data, such as pages, single requests, changes, exports and tiles."""
