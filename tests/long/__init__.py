"""What takes minutes: worst cases and sweeps, with a real daemon. The ordinary run leaves them out; `pytest tests/long` makes them."""
