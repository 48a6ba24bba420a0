"""The one place where the rooms meet: it builds the parts, joins them, starts and stops them."""
