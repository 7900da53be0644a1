from push_gateway.native import Take

FINGERPRINT: str

take: Take
