"""Transport: sessions with other hosts, mail over them, the pool that keeps them warm, and the one judge of what came of it."""
