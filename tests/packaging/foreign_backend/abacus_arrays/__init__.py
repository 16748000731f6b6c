"""A stranger's array library, which happens to be NumPy's arrays under another name."""
