"""The pages of cities for people: HTML that works without JavaScript (decision 0041)."""
