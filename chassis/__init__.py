"""How a service is built: settings, logs, HTTP, authentication, database, change capture, relay, bus.

Knows no domain: no table, subject or event of any service is named here.
"""
