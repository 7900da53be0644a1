"""Pages of `docs/` that are made from the contracts and the services, and the site that all pages make."""
