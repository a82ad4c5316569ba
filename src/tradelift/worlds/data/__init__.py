"""The map of the East-West programme; see README.md beside it."""
