"""Tests of owners."""
