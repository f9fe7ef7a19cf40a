"""What could not be accepted: put aside with the reason, looked at, replayed after the fix, or dropped by a person."""
