"""The whole way: the command line, the daemon and a sink as separate processes, as a user starts them."""
