"""The verification report: one page, and a PDF, with the measurements of the checks.

`record` reads `verification.json`, which the tests write. The figures show this record alone;
`derivation` reads the modules that prove. `page` assembles them, with the words of `templates`;
`__main__` runs it all.
"""
