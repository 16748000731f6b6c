"""The NumPy backend of dispatchtorch: the CPU, and the host of everything."""
