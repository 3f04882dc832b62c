"""Where the messages of mailboxes are."""
