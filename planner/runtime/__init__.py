"""Runtime: models that are loaded, and the router that runs a plan."""
