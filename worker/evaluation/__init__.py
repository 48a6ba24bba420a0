"""How well a model and the router do together on questions whose answers can be checked."""
