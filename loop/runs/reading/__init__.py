"""What a run's output says: numbers and their units, names, the line forms of the field, tables, JSON. Pure."""
