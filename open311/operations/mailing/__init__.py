"""Mail to reporters, to others who follow a request, and to departments (decision 0046)."""
