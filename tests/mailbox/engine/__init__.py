"""Tests of engines: where the rows of mailboxes are."""
