"""Personal data of those who sent requests and updates: retention, export and erasure."""
