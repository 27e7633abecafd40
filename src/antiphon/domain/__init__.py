"""What is it? Pure nouns and their rules: no clock, no file, no socket."""
