"""New requests: they are checked, routed and stored, and get their ids."""
