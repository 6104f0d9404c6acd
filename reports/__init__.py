"""The verification report: one page, and a PDF, of what the checks of the tests have measured.

`record` reads `verification.json`, which the tests write; the figures are drawn from it alone, `derivation` from the
modules that prove; `page` and `pdf` put them together; `command` runs it all.
"""
