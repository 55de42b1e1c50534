"""Access rights: API keys, accounts of staff, and the audit trail."""
