"""Stories: what must happen to a made-up account, and what must not, told by the functions of production."""
