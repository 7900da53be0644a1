"""The commands, a module each: what it asks, and how it is told. `bus_inspector.app` puts them together."""
