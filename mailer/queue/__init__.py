"""The queue manager: load, route, ready, deliver, settle."""
