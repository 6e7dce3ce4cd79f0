"""How each engine writes what differs between engines, one file each."""
