"""Reading of public data: pages, single requests, changes and exports."""
