"""New requests. They are checked, routed and stored, and get their ids."""
