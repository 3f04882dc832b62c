"""What touches the world, one thing a file: the clock, the disk, the service manager. Nothing here decides."""
