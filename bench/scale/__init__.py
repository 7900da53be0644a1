"""What an event costs as its surroundings grow, and what follows for more users than one machine holds."""
