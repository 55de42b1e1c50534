"""The pages for staff: sign-in, queue, requests, photos, deliveries, and the work of a crew (decision 0042)."""
