"""Background work on procrastinate: tokens, republishing, housekeeping."""
