"""Inbox items and unread counts."""
