"""Load tests: journeys, a holder of thousands of sockets, thresholds that fail the run. See README.md beside this file.

They use what a stranger has: public HTTP, `serve.client`, the demo's stream of events and the `boond` command.
"""
