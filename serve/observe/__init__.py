"""What all processes of an instance count, on one endpoint: the table of families, reports, and Prometheus' text."""
