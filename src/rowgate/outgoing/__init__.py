"""Calls to other hosts: the only room from which anything is asked of the world beyond the served database."""
