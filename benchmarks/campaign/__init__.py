"""Attacks on the product's promises."""
