"""Boards that a site has drawn in Superset: whether an export is safe to show to guests, and its files under new names.

An export comes from outside. Nothing of it is kept but what ``shapes`` knows, and nothing of it is ever unpacked.
"""
