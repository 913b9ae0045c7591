"""Loads of integrations that are kept, and what tells whether they still fit."""
