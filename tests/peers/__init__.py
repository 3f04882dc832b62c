"""Real servers from Debian that take what we send, started in a scratch directory on ports of their own."""
