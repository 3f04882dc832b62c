"""The words that every other room says: addresses, messages, envelopes, outcomes.

Mail is two things that people take for one. The *message* (RFC 5322) is what its reader sees: header
lines, an empty line, a body. The *envelope* (RFC 5321 §2.3.1) is what the post needs: one
reverse-path, to which reports go, and the recipients. The envelope is not derived from the header
when mail moves from host to host; only a submission with ``-t`` reads recipients there, once.

What happens to mail is said once per recipient and attempt, as an `Outcome`; all that was said about
one message so far is its `History`.

Everything here is pure: no clock, no files, no network. `address`, `message` and `envelope` are on
the path of every ``mailer send`` and so import nothing that costs start-up time (no `re`, `json`,
`dataclasses`, `typing`); ``tests/cli/test_send_imports.py`` holds that.
"""
