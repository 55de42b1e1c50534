"""What happens to a request once it is stored."""
