"""The HTTP service: routes, what they take and give, and all that a server needs around them."""
