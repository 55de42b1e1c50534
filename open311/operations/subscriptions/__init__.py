"""Subscriptions: their owners manage them, the dispatcher announces changes to them, and the worker sends webhooks."""
