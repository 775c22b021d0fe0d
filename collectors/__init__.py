"""The edge: collectors speak protocols, keep what arrives and understand nothing of it."""
