"""HTTP: parsing what came, calling one operation, answering in the format of the URL."""
