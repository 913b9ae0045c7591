"""Carrying out a plan: what starts, what is recorded, what others hear of it."""
