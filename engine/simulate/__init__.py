"""The same loop over the past, with a virtual clock."""
