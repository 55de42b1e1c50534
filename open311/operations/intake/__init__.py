"""New requests: checked, routed, stored, given their ids."""
