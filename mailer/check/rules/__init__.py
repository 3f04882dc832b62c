"""From answers to findings: one file a check, pure functions all."""
