"""The staff API: queues, requests with everything staff may see, and commands (spec/staff.md)."""
