"""Who may call: API keys, accounts and sessions of staff, blocks, rates, secret links; and the audit trail."""
