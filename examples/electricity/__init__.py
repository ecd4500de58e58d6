"""Elec2: the electricity market of New South Wales, in time order."""
