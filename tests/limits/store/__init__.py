"""Tests of where rows of limits are kept."""
