"""What the doors call is what they say it is."""
