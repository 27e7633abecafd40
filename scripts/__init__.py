"""What people and CI run; the one Python file here makes the reference pages."""
