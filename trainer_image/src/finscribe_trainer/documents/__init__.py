"""The canonical document schema, exact numbers, paths and page regions of fields, and arithmetic checks."""
