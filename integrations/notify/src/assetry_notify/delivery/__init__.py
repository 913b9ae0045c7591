"""The ways to a target: chats and webhooks over HTTP, mail, commands."""
