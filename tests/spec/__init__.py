"""The specification's types: bad cases and NIR."""
