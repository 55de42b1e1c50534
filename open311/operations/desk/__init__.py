"""What staff read and do apart from single commands: queues, whole requests, photos, bulk commands, saved views."""
