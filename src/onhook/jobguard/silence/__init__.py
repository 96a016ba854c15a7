"""Who owes whom what, and for how long: pure decisions about dead air."""
