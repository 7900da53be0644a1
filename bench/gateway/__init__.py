"""The gateway alone under load: many clients that return at once, that never read, or that only sit there."""
