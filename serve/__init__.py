"""Ray Serve: REST, WebSocket, auth, settings, the `boond` command and the composition root."""
