"""`python -m inbox_service` serves; `python -m inbox_service migrate` brings the database up to date."""

from chassis.command import main
from inbox_service.settings import Settings

if __name__ == "__main__":
    main("inbox_service", Settings)
