"""HTTP: parse the call, run one operation, answer in the format of the URL."""
