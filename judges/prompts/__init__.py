"""Prompt templates (Jinja2)."""
