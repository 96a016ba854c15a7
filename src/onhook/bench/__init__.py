"""The test bench: a phone, real servers, a simulated provider. The product imports none of it."""
