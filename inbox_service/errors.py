"""Owns what this service refuses.

Problem (chassis)
└── NotFound    UnknownItem
"""

from chassis.errors import NotFound


class UnknownItem(NotFound):
    """There is no such item, or it is somebody else's."""

    def __init__(self) -> None:
        super().__init__("you have no inbox item with this id")
