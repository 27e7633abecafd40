"""What several test rooms share: a tiny real model, and an independent reference of the real one."""
