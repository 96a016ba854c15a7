"""onhook: no phone caller is ever left on a silent or ringing line."""
