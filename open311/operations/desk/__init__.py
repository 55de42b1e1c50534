"""What staff read and do beside single commands: queues, whole requests, bulk commands, saved views."""
