"""What is said on the bus and on the socket: subjects, events, headers, frames and close codes.

Everything here is public interface. Contracts only grow: a new field is optional, a new meaning is a new
event name, and unknown fields are ignored. Nothing here opens a connection or knows how a service is built.
"""
