"""The fault matrix: breaks a whole system under load, and shows that its promises hold all the same."""
