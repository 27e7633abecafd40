"""How is it spelled? JSON bodies to domain objects and back, both directions of a noun side by side. Pure."""
