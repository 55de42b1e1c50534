"""What staff read and do beside single commands: queues, whole requests, photos, bulk commands, saved views."""
