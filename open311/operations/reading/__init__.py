"""What the public reads: pages, single requests, changes, exports."""
