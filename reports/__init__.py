"""The verification report: one page with the measurements of the checks, and their record.

`record` reads `verification.json`, which the tests write. The figures show this record alone;
`derivation` reads the modules that prove. `page` assembles them, with the words of `templates`;
`__main__` runs it all.
"""
