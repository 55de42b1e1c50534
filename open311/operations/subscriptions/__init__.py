"""Subscriptions: how owners manage them, how changes are announced to them, and how webhooks are sent."""
