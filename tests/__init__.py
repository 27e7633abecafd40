"""Tests: mirrors src/antiphon/."""
