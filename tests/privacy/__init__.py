"""A corpus of personal data that comes in by every door, and a look at everything that goes out."""
