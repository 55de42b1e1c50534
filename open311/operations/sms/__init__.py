"""Text messages to reporters who ask for them (decision 0061)."""
