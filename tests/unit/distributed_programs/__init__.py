"""Programs for several devices or several processes, run by test_distributed.py."""
