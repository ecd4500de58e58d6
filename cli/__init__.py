"""The `evertune` command: one module a command, the only place that knows every room.

Modules here import nothing heavier than typer at their top, so that `evertune --help` answers at once; each command
imports what it needs when it runs.
"""
