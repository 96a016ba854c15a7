"""One file for each way of noticing that something is wrong with a job's call."""
