"""Personal data of people, such as those who sent requests and updates: retention, export and erasure."""
