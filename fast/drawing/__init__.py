"""Pictures and pages of training runs, drawn from their records; `templates` has the words."""
