"""An operator's evening, acted out on the real stack; `make evening`."""
