"""The JAX backend of dispatchtorch: a plugin; nothing is imported until it is selected."""
