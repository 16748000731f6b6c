"""The conformance kit: ``pytest --pyargs dispatchtorch.testing.conformance --backend NAME`` tests an installed backend.

Generated from the op table's samples and torch's recorded answers to them; needs pytest, not torch. `cases` makes the
calls, `checks` are plain functions that raise AssertionError, `suite` turns them into tests, `plugin` has the option
and the report. Must not know any backend by name.
"""
