"""`python -m connection_service` serves; `python -m connection_service migrate` brings the database up to date."""

from chassis.command import main
from connection_service.settings import Settings

if __name__ == "__main__":
    main("connection_service", Settings)
