"""Words that every layer uses: dtypes, devices, shapes, errors, configuration.

Layer 0: imports nothing else of dispatchtorch, and no array library.
"""
