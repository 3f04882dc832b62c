"""Mailboxes: what is kept, and how."""
