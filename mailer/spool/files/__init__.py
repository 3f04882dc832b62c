"""The spool as files: one message is one file, and each step of its life one atomic act on it; mailer-spool(5)."""
